package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capstan-pay/capstan/signature"
)

// Captures of the alipay dialect, each answered under an RSA-2048 signature, are
// held against two ceilings: a server that reads the same requests over the same
// connections and signs its answers, and signatures with nothing around them.
// Those are counted right before and right after: what a core does in a second
// is not the same a minute later.

// signedLoads are made in each round, in turns forward and backward.
var signedLoads = []load{
	{"signing no-op, 64 connections", true, "alipay", 64, 1, 0.08},
	{"alipay, 64 connections", false, "alipay", 64, 1, 0.08},
	{"signing no-op, 256 connections", true, "alipay", 256, 1, 0.08},
	{"alipay, 256 connections", false, "alipay", 256, 1, 0.08},
}

// signing is what the cores sign with nothing else to do.
type signing struct {
	rate []float64 // RSA-2048 signatures a second on all cores, in each round
	cpu  []float64 // CPU microseconds of each of them
}

// measureSigning measures all of it with servers of its own.
func (m *measurements) measureSigning(ctx context.Context, folder string) error {
	folder, err := os.MkdirTemp(folder, "signing-")
	if err != nil {
		return err
	}
	noop, err := startNoop(ctx)
	if err != nil {
		return err
	}
	defer noop.stop()
	server, err := startServe(ctx, m.capstan, folder, "127.0.0.1:0")
	if err != nil {
		return err
	}
	url := noop.credentials.BaseURL
	noop.credentials = server.credentials // to sign requests with
	noop.credentials.BaseURL = url
	for round := range m.rounds {
		if err = m.signingRound(ctx, round, noop, server); err != nil {
			break
		}
	}
	return errors.Join(err, server.stop())
}

func (m *measurements) signingRound(ctx context.Context, round int, noop, server *child) error {
	fmt.Fprintf(os.Stderr, "signatures, round %d of %d\n", round+1, m.rounds)
	quiet(ctx, m.wait)
	before, cost := signatures(m.duration() / 2)
	if err := m.takeAll(ctx, round, signedLoads, noop, server); err != nil {
		return err
	}
	quiet(ctx, m.wait)
	after, costAfter := signatures(m.duration() / 2)
	s := &m.signing
	s.rate, s.cpu = append(s.rate, (before+after)/2), append(s.cpu, (cost+costAfter)/2)
	fmt.Fprintf(os.Stderr, "  %-40s %8.0f and %.0f a second before and after, %.0f us each\n", "signatures", before, after, (cost+costAfter)/2)
	return nil
}

// signingRatios are the captures against the server that only signs, against all
// signatures that there can be, against those that there can be beside the load
// generator, and CPU against CPU.
func (m *measurements) signingRatios() []ratio {
	rate := func(s sample) float64 { return s.PerSecond }
	var all []ratio
	for _, connections := range []string{"64", "256"} {
		name, at := "alipay, "+connections+" connections", ", "+connections+" connections"
		captures := m.series(name, rate)
		against, left := slices.Clone(captures), slices.Clone(captures)
		share := m.series(name, func(s sample) float64 { return s.server })
		for i, s := range m.samples[name] {
			against[i] /= m.signing.rate[i]
			left[i] = against[i] / (1 - s.loader*s.PerSecond/1e6/cores)
			share[i] = m.signing.cpu[i] / share[i]
		}
		all = append(all,
			ratio{"alipay against a server that only signs" + at, m.over(name, "signing no-op"+at, rate), "", ">= 0.8", ""},
			ratio{"alipay captures against the signatures that all cores can make" + at, against, "", ">= 0.8", ""},
			ratio{"the same, against the signatures that they can make in the time that the load generator leaves them" + at, left, "", ">= 0.8", ""},
			ratio{"CPU of a signature against that of the server for an alipay capture" + at, share, "", "", ""},
		)
	}
	return all
}

// reportSigning writes down what was measured of signatures alone.
func (m *measurements) reportSigning() string {
	var b strings.Builder
	b.WriteString(reportRatios(m.signingRatios()))
	b.WriteString("\n" + m.reportLoads(signedLoads) + "\n" + m.signing.report())
	return b.String()
}

func (s *signing) report() string {
	return fmt.Sprintf("RSA-2048 signatures with all cores: %.0f/s, %.0f us of CPU each.\n", median(s.rate), median(s.cpu))
}

// signatures returns how many RSA-2048 signatures of a text all cores make in
// a second, and the CPU microseconds of each. This process makes them, and does
// nothing else.
func signatures(d time.Duration) (rate, cpu float64) {
	key := newSigningKey()
	var made atomic.Int64
	var signers sync.WaitGroup
	begin, used := time.Now(), cpuOf(os.Getpid())
	for range runtime.NumCPU() {
		signers.Go(func() {
			for time.Since(begin) < d {
				sign(key, []byte("something to sign"))
				made.Add(1)
			}
		})
	}
	signers.Wait()
	n := float64(made.Load())
	return n / time.Since(begin).Seconds(), micros(cpuOf(os.Getpid())-used) / n
}

func newSigningKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // there is no randomness
	}
	return key
}

func sign(key *rsa.PrivateKey, text []byte) string {
	signed, err := signature.RSA(key, text)
	if err != nil {
		panic(err) // the key is a good one
	}
	return signed
}
