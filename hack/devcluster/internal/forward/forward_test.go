package forward

import (
	"context"
	"io"
	"net"
	"testing"
)

// What one side says arrives at the other, and its end too, while the other goes on.
func TestJoin(t *testing.T) {
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = backend.Close() }()
	go func() {
		conn, err := backend.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		said, _ := io.ReadAll(conn)
		_, _ = conn.Write(append([]byte("heard "), said...))
	}()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = front.Close() }()
	joined := make(chan error, 1)
	go func() {
		conn, err := front.Accept()
		if err != nil {
			joined <- err
			return
		}
		joined <- join(context.Background(), conn.(*net.TCPConn), "", backend.Addr().String())
	}()

	conn, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != "heard hello" {
		t.Errorf("got %q, %v; want %q", got, err, "heard hello")
	}
	if err := <-joined; err != nil {
		t.Error(err)
	}
}
