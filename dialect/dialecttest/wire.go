package dialecttest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reply is an answer as it came over the wire.
type reply struct {
	status string
	header [][2]string
	body   []byte
	shown  []byte // the body as a transcript has it; nil is as it is
}

// text renders a reply as a transcript has it. Bodies that do not end with a
// newline get one there; Content-Length tells the two apart.
func (r reply) text(ignore []string) string {
	var b strings.Builder
	b.WriteString(r.status + "\n")
	for _, h := range r.header {
		name := strings.ToLower(h[0])
		if name == "date" || name == "connection" || slices.Contains(ignore, name) {
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", h[0], h[1])
	}
	body := r.body
	if r.shown != nil {
		body = r.shown
	}
	if len(body) > 0 {
		b.WriteByte('\n')
		b.Write(body)
		if body[len(body)-1] != '\n' {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// exchange sends a request over a connection of its own and reads the reply,
// without an HTTP client between: header names come back as they were sent.
func exchange(url string, r *Request) (reply, error) {
	address := strings.TrimPrefix(url, "http://")
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %s %s\r\n", r.Method, r.Target, r.Protocol)
	if !r.Has("Host") {
		fmt.Fprintf(&out, "Host: %s\r\n", address)
	}
	chunked := false
	for _, h := range r.Header {
		if h[1] == "-" {
			continue
		}
		chunked = chunked || strings.EqualFold(h[0], "Transfer-Encoding")
		fmt.Fprintf(&out, "%s: %s\r\n", h[0], h[1])
	}
	if !chunked && !r.Has("Content-Length") && (len(r.Body) > 0 || r.Method != "GET") {
		fmt.Fprintf(&out, "Content-Length: %d\r\n", len(r.Body))
	}
	out.WriteString("Connection: close\r\n\r\n")
	if chunked {
		if len(r.Body) > 0 {
			fmt.Fprintf(&out, "%x\r\n%s\r\n", len(r.Body), r.Body)
		}
		out.WriteString("0\r\n\r\n")
	} else {
		out.Write(r.Body)
	}
	if _, err := conn.Write(out.Bytes()); err != nil {
		return reply{}, err
	}
	return readReply(bufio.NewReader(conn))
}

func readReply(in *bufio.Reader) (reply, error) {
	line, err := readLine(in)
	if err != nil {
		return reply{}, err
	}
	answer, length, chunked := reply{status: line}, -1, false
	for {
		if line, err = readLine(in); err != nil {
			return reply{}, err
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		answer.header = append(answer.header, [2]string{name, value})
		switch strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.Atoi(value); err != nil {
				return reply{}, err
			}
		case "transfer-encoding":
			chunked = true
		}
	}
	switch {
	case chunked:
		answer.body, err = readChunks(in)
	case length >= 0:
		answer.body = make([]byte, length)
		_, err = io.ReadFull(in, answer.body)
	default:
		answer.body, err = io.ReadAll(in)
	}
	return answer, err
}

func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

func readChunks(in *bufio.Reader) ([]byte, error) {
	var body []byte
	for {
		line, err := readLine(in)
		if err != nil {
			return nil, err
		}
		size, err := strconv.ParseInt(line, 16, 32)
		if err != nil {
			return nil, err
		}
		chunk := make([]byte, size+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return nil, err
		}
		if size == 0 {
			return body, nil
		}
		body = append(body, chunk[:size]...)
	}
}
