package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if control := os.Getenv(diskControl); control != "" {
		mainOnDisk(control)
	}
	testscript.Main(m, map[string]func(){"capstan": main})
}

// TestScripts runs the real program, as an operator would: one file of
// testdata/script for each thing that he does.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": startServer, "terminate": end(syscall.SIGTERM), "kill9": end(syscall.SIGKILL), "hangup": hangUp,
			"exits": exits, "request": request, "take": take, "certificate": makeCertificate, "damage": damage,
		},
		Setup: func(e *testscript.Env) error {
			e.Values[processes{}] = map[string]*process{}
			return nil
		},
	})
}

type processes struct{}

// process is a server that a script has started.
type process struct {
	*exec.Cmd
	log bytes.Buffer
}

// startServer runs "server NAME ARGUMENT...": capstan serve on free ports. When
// it is ready $NAME_URL and $NAME_ADMIN are where.
func startServer(ts *testscript.TestScript, _ bool, args []string) {
	name := args[0]
	p := &process{Cmd: program(ts, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, args[1:]...)...)}
	p.Stderr = &p.log
	out, err := p.StdoutPipe()
	ts.Check(err)
	ts.Check(p.Start())
	ts.Value(processes{}).(map[string]*process)[name] = p
	ts.Defer(func() { _ = p.Process.Kill(); _ = p.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = p.Wait()
		ts.Fatalf("%s ended before it was ready: %s", name, &p.log)
	}
	for _, word := range strings.Fields(line) {
		word = strings.Trim(word, ",")
		if !strings.HasPrefix(word, "http") {
			continue
		}
		if ts.Getenv(name+"_URL") == "" || ts.Getenv(name+"_ADMIN") != "" {
			ts.Setenv(name+"_URL", word)
			ts.Setenv(name+"_ADMIN", "")
		} else {
			ts.Setenv(name+"_ADMIN", word)
		}
	}
}

// program is a call of the program in the script's folder and environment.
func program(ts *testscript.TestScript, args ...string) *exec.Cmd {
	path, _, _ := strings.Cut(ts.Getenv("PATH"), string(os.PathListSeparator))
	c := exec.Command(filepath.Join(path, "capstan"), args...)
	c.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "CAPSTAN_STORE", "CAPSTAN_KEYS", "CAPSTAN_SANDBOX", "CAPSTAN_ADMIN", "CAPSTAN_ADMIN_TOKEN", "CAPSTAN_CREDENTIALS_OUT"} {
		if value := ts.Getenv(name); value != "" {
			c.Env = append(c.Env, name+"="+value)
		}
	}
	return c
}

// end runs "terminate NAME", after which the server has to end with 0 within
// ten seconds, or "kill9 NAME".
func end(signal syscall.Signal) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		p := ts.Value(processes{}).(map[string]*process)[args[0]]
		began := time.Now()
		ts.Check(p.Process.Signal(signal))
		err := p.Wait()
		if signal == syscall.SIGTERM && (err != nil || time.Since(began) > 10*time.Second) {
			ts.Fatalf("%s ended after %v: %v: %s", args[0], time.Since(began), err, &p.log)
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+".log"), p.log.Bytes(), 0o600))
	}
}

func hangUp(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Value(processes{}).(map[string]*process)[args[0]].Process.Signal(syscall.SIGHUP))
}

// exits runs "exits CODE ARGUMENT...": the program, which has to end with that
// code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	c := program(ts, args[1:]...)
	c.Stdout, c.Stderr = ts.Stdout(), ts.Stderr()
	code := 0
	var ended *exec.ExitError
	if err := c.Run(); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// request runs "request STATUS METHOD URL [NAME: VALUE]... [BODY]", and tries for
// five seconds until the status is right: what is disabled may be remembered
// for so long. The answer is its standard output.
func request(ts *testscript.TestScript, _ bool, args []string) {
	want, method, address := args[0], args[1], args[2]
	for deadline := time.Now().Add(8 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		body := ""
		header := http.Header{}
		for _, arg := range args[3:] {
			if name, value, ok := strings.Cut(arg, ": "); ok && !strings.HasPrefix(arg, "{") {
				header.Set(name, value)
			} else {
				body = arg
			}
		}
		r, err := http.NewRequest(method, address, strings.NewReader(body))
		ts.Check(err)
		r.Header = header
		r.Host = header.Get("Host")
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: trust(ts)}}
		answer, err := client.Do(r)
		ts.Check(err)
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		ts.Check(err)
		if strconv.Itoa(answer.StatusCode) == want {
			fmt.Fprintf(ts.Stdout(), "%s\n", text)
			if answer.TLS != nil {
				fmt.Fprintf(ts.Stderr(), "certificate of %s\n", answer.TLS.PeerCertificates[0].Subject.CommonName)
			}
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s %s: %s, want %s: %s", method, address, answer.Status, want, text)
		}
	}
}

// take runs "take VARIABLE FILE PATH": sets a variable to a member of the JSON
// in a file, which may be stdout.
func take(ts *testscript.TestScript, _ bool, args []string) {
	var value any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &value))
	for _, name := range strings.Split(args[2], ".") {
		if list, ok := value.([]any); ok {
			i, err := strconv.Atoi(name)
			ts.Check(err)
			value = list[i]
			continue
		}
		object, ok := value.(map[string]any)
		if _, there := object[name]; !ok || !there {
			ts.Fatalf("no member %s of %s", name, args[2])
		}
		value = object[name]
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}

// makeCertificate runs "certificate NAME": writes a new NAME to cert.pem and
// key.pem, and adds it to what requests trust.
func makeCertificate(ts *testscript.TestScript, _ bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: args[0]}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	ts.Check(os.WriteFile(ts.MkAbs("cert.pem"), cert, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	known, err := os.ReadFile(ts.MkAbs("trusted.pem"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("trusted.pem"), append(known, cert...), 0o600))
}

func trust(ts *testscript.TestScript) *tls.Config {
	pool := x509.NewCertPool()
	if known, err := os.ReadFile(ts.MkAbs("trusted.pem")); err == nil {
		pool.AppendCertsFromPEM(known)
	}
	return &tls.Config{RootCAs: pool}
}

// damage runs "damage FILE": overwrites a page in the middle.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	_, err = f.WriteAt(bytes.Repeat([]byte{0xA5}, 4096), 3*4096)
	ts.Check(err)
}
