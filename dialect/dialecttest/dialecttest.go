// Package dialecttest plays wire transcripts: text archives that say what is
// sent to a server, byte by byte, and what must come back.
//
// A transcript is a txtar file. The comment on top says why it exists and
// which section of the specification it comes from. Then follow sections:
//
//	-- control --   a sandbox control to call first: "POST /_sandbox/clock", then its JSON
//	-- request --   request line, header lines, an empty line, the body
//	-- reply --     what must come back: status line, headers in the order and case of the wire, body
//	-- save --      lines "name = path": members of the last answer's JSON, to be used as ${name}
//
// ${intents.secret_key} and the like are the credentials of the server's
// default merchant. With -update the replies are rewritten; read the diff.
package dialecttest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/capstan-pay/capstan/capstantest"
)

var update = flag.Bool("update", false, "rewrite the replies of wire transcripts")

// Options say how transcripts of a dialect are played.
type Options struct {
	// Prepare completes a request before it is sent: it adds the headers that
	// authenticate it, unless the transcript has them. A header whose value is
	// "-" in a transcript is not to be sent; Prepare finds it with Request.Has.
	Prepare func(s *capstantest.Server, r *Request)

	// Check holds every reply against what a transcript does not show, such
	// as a signature over it.
	Check func(s *capstantest.Server, r *Request, header [][2]string, body []byte) error

	// Described holds every reply against the description of the API that the
	// dialect publishes, if it does; status is 200 and the like.
	Described func(r *Request, status int, header http.Header, body []byte) error

	// After is called when a transcript was played.
	After func(t *testing.T, s *capstantest.Server)

	// Server options beyond capstantest's own.
	Server []capstantest.Option

	// Hide puts something in the place of what differs from run to run in a
	// reply's body, such as secrets; nil leaves it.
	Hide func(body []byte) []byte

	// Ignore lists headers of replies that are not compared, in lower case;
	// "date" always is one.
	Ignore []string
}

// Request is a request as it will go over the wire.
type Request struct {
	Method, Target, Protocol string
	Header                   [][2]string // in order, names as they are sent
	Body                     []byte
}

// Has tells whether a header is there, also as one that is not to be sent.
func (r *Request) Has(name string) bool {
	for _, h := range r.Header {
		if strings.EqualFold(h[0], name) {
			return true
		}
	}
	return false
}

// Add appends a header unless it is there.
func (r *Request) Add(name, value string) {
	if !r.Has(name) {
		r.Header = append(r.Header, [2]string{name, value})
	}
}

// Play plays every transcript below a folder, each on a server of its own.
func Play(t *testing.T, folder string, o Options) {
	t.Helper()
	var files []string
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".txtar") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts below %s: %v", folder, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), filepath.ToSlash(folder)+"/"), ".txtar")
		t.Run(name, func(t *testing.T) { play(t, file, o) })
	}
}

func play(t *testing.T, file string, o Options) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.TrimSpace(archive.Comment)) == 0 {
		t.Error("the transcript does not say why it exists")
	}
	s := capstantest.Run(t, o.Server...)
	if o.After != nil {
		defer o.After(t, s)
	}
	p := &player{t: t, server: s, options: o, values: map[string]string{}}
	credentials, err := json.Marshal(s.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	p.credentials = credentials
	changed := false
	for i := range archive.Files {
		section := &archive.Files[i]
		switch section.Name {
		case "control":
			p.control(string(section.Data))
		case "request":
			p.last = p.request(string(section.Data))
			if *update && (i+1 == len(archive.Files) || archive.Files[i+1].Name != "reply") {
				t.Error("a request without a reply section")
			}
		case "reply":
			if o.Hide != nil {
				p.last.shown = o.Hide(p.last.body)
			}
			if got := p.last.text(o.Ignore); got != string(section.Data) && (*update || got != without(string(section.Data), o.Ignore)) {
				if !*update {
					t.Errorf("reply to request %d differs\n--- got\n%s\n--- want\n%s", p.count, got, section.Data)
				}
				section.Data, changed = []byte(got), true
			}
		case "save":
			p.save(string(section.Data))
		default:
			t.Fatalf("unknown section %q", section.Name)
		}
		if t.Failed() && !*update {
			return
		}
	}
	if changed && *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// without takes headers out of a reply as a transcript has it: another way of
// playing it may compare fewer.
func without(text string, headers []string) string {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := slices.DeleteFunc(strings.Split(head, "\n"), func(line string) bool {
		name, _, _ := strings.Cut(line, ":")
		return slices.Contains(headers, strings.ToLower(name))
	})
	return strings.Join(lines, "\n") + "\n\n" + body
}

type player struct {
	t           *testing.T
	server      *capstantest.Server
	options     Options
	credentials []byte
	values      map[string]string
	last        reply
	count       int
}

var variable = regexp.MustCompile(`\$\{[^}]*\}`)

// expand puts values in the place of variables.
func (p *player) expand(text string) string {
	return variable.ReplaceAllStringFunc(text, func(v string) string {
		name := v[2 : len(v)-1]
		if value, ok := p.values[name]; ok {
			return value
		}
		if value, ok := lookup(p.credentials, name); ok {
			return value
		}
		p.t.Fatalf("unknown variable %s", v)
		return ""
	})
}

func (p *player) control(text string) {
	head, body, _ := strings.Cut(p.expand(text), "\n")
	method, path, ok := strings.Cut(strings.TrimSpace(head), " ")
	if !ok {
		p.t.Fatalf("control %q is no method and path", head)
	}
	var in any
	if strings.TrimSpace(body) != "" {
		in = json.RawMessage(body)
	}
	var out json.RawMessage
	p.server.Control(p.t, method, path, in, &out)
	p.last = reply{body: out}
}

func (p *player) request(text string) reply {
	p.count++
	head, body, _ := strings.Cut(p.expand(text), "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	first := strings.Fields(lines[0])
	if len(first) == 2 {
		first = append(first, "HTTP/1.1")
	}
	if len(first) != 3 {
		p.t.Fatalf("%q is no request line", lines[0])
	}
	r := &Request{Method: first[0], Target: first[1], Protocol: first[2], Body: []byte(strings.TrimSuffix(body, "\n"))}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			p.t.Fatalf("%q is no header", line)
		}
		value = strings.TrimSpace(value)
		if name == "Body-Base64" {
			raw, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				p.t.Fatal(err)
			}
			r.Body = raw
			continue
		}
		r.Header = append(r.Header, [2]string{name, value})
	}
	if p.options.Prepare != nil {
		p.options.Prepare(p.server, r)
	}
	answer, err := exchange(p.server.URL, r)
	if err != nil {
		p.t.Fatalf("request %d: %v", p.count, err)
	}
	if p.options.Check != nil {
		if err := p.options.Check(p.server, r, answer.header, answer.body); err != nil {
			p.t.Errorf("reply to request %d: %v", p.count, err)
		}
	}
	if p.options.Described != nil {
		var proto string
		var status int
		h := http.Header{}
		for _, pair := range answer.header {
			h.Add(pair[0], pair[1])
		}
		if _, err := fmt.Sscan(answer.status, &proto, &status); err != nil {
			p.t.Fatalf("status line %q: %v", answer.status, err)
		}
		if err := p.options.Described(r, status, h, answer.body); err != nil {
			p.t.Errorf("reply to request %d: %v", p.count, err)
		}
	}
	return answer
}

func (p *player) save(text string) {
	for line := range strings.Lines(text) {
		name, path, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		value, found := lookup(p.last.body, strings.TrimSpace(path))
		if !found {
			p.t.Fatalf("the last answer has no %s: %s", strings.TrimSpace(path), p.last.body)
		}
		p.values[strings.TrimSpace(name)] = value
	}
}

// lookup finds a member of a JSON document by its path: "error.code", "data.0.id".
func lookup(document []byte, path string) (string, bool) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil {
		return "", false
	}
	for _, step := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				return "", false
			}
			value = next
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i < 0 || i >= len(v) {
				return "", false
			}
			value = v[i]
		default:
			return "", false
		}
	}
	return fmt.Sprint(value), value != nil
}
