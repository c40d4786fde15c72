package kubeproxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/audit"
)

// node plays the kubelet of a node: logs come line by line for as long as somebody reads, and a connection of another protocol
// gives back what it is given.
func (w *world) node() string {
	w.t.Helper()
	kubelet := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			for n := 0; r.Context().Err() == nil; n++ {
				_, _ = fmt.Fprintf(rw, "line %d\n", n)
				_ = http.NewResponseController(rw).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(50 * time.Millisecond):
				}
			}
			return
		}
		conn, buffered, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nX-Stream-Protocol-Version: %s\r\n\r\n",
			r.Header.Get("Upgrade"), r.Header.Get("X-Stream-Protocol-Version"))
		_, _ = io.Copy(conn, buffered)
	}))
	w.t.Cleanup(func() {
		kubelet.CloseClientConnections()
		kubelet.Close()
	})
	host, port, err := net.SplitHostPort(kubelet.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		w.t.Fatal(err)
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: w.name("node")}}
	w.make(node)
	w.t.Cleanup(func() { _ = server.Client.Delete(context.WithoutCancel(w.t.Context()), node) })
	node.Status = corev1.NodeStatus{
		Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}, {Type: corev1.NodeHostName, Address: host}},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(number)}},
	}
	if err := server.Client.Status().Update(w.t.Context(), node); err != nil {
		w.t.Fatal(err)
	}
	return node.Name
}

// pod makes a pod of a job that runs on a node.
func (w *world) pod(project, job, node string) string {
	w.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: job + "-pod", Labels: map[string]string{v1alpha1.LabelJob: job}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "main", Image: "x"}}},
	}
	w.make(pod)
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning}
	if err := server.Client.Status().Update(w.t.Context(), pod); err != nil {
		w.t.Fatal(err)
	}
	return pod.Name
}

// upgrade opens a connection of another protocol, and tells the code of the answer.
func (w *world) upgrade(method, path string, lines ...string) (net.Conn, *bufio.Reader, int) {
	w.t.Helper()
	host := w.front.Listener.Addr().String()
	config := w.client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos, config.ServerName = []string{"http/1.1"}, "example.com"
	conn, err := (&tls.Dialer{Config: config}).DialContext(w.t.Context(), "tcp", host)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	all := append([]string{method + " /kube" + path + " HTTP/1.1", "Host: " + host, "Content-Length: 0"}, lines...)
	if _, err := io.WriteString(conn, strings.Join(all, "\r\n")+"\r\n\r\n"); err != nil {
		w.t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err != nil {
		w.t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		_ = response.Body.Close()
	}
	return conn, reader, response.StatusCode
}

var spdy = []string{"Connection: Upgrade", "Upgrade: SPDY/3.1", "X-Stream-Protocol-Version: v4.channel.k8s.io"}

func TestLogsAndConnectionsStreamAndAreCut(t *testing.T) {
	w := newWorld(t, "streams")
	project, alice := w.project("vision"), w.user("alice")
	grants := w.writer(project, alice)
	w.job(project, "train")
	pod := w.pod(project, "train", w.node())
	w.compile(writes(project, alice))
	base := "/api/v1/namespaces/" + project + "/pods/" + pod

	first, logs := w.stream(w.request(http.MethodGet, alice, base+"/log?follow=true", nil))
	if first != "line 0\n" {
		t.Errorf("the log begins with %q", first)
	}
	var open []<-chan struct{}
	for _, sub := range []string{"/exec?command=sh&stdin=true&stdout=true", "/attach?stdin=true", "/portforward"} {
		conn, reader, code := w.upgrade(http.MethodPost, base+sub, append(spdy, "Authorization: Bearer "+alice)...)
		if code != http.StatusSwitchingProtocols {
			t.Fatalf("%s is answered %d", sub, code)
		}
		for _, text := range []string{"hello\n", "again\n"} {
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			if got, err := reader.ReadString('\n'); got != text {
				t.Fatalf("%s: %q came back as %q: %v", sub, text, got, err)
			}
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = io.Copy(io.Discard, reader)
		}()
		open = append(open, ended)
	}
	if count := w.proxy.streams.Count(); count != 4 {
		t.Errorf("%d streams are open", count)
	}
	w.proxy.recheck(t.Context(), w.proxy.streams.Of())
	w.remove(grants[0])
	w.within("logs", 5*time.Second, logs)
	for _, ended := range open {
		w.within("a connection", 5*time.Second, ended)
	}
	w.eventually("nothing is open", func() bool { return w.proxy.streams.Count() == 0 })
	w.eventually("the cuts are recorded", func() bool {
		return len(w.audit.Find(func(r audit.Record) bool { return r.Reason == string(ReasonRevoked) && !r.Allowed && r.User == alice })) == 4
	})
	opened := w.audit.Find(func(r audit.Record) bool { return r.Allowed && r.Subresource != "" && r.Name == pod })
	if len(opened) != 4 {
		t.Errorf("there are %d records of streams that were opened", len(opened))
	}
	for i := range opened {
		if opened[i].Query != "" && opened[i].Query != "follow=true" || strings.Contains(opened[i].Query, "command") {
			t.Errorf("a record tells of %q", opened[i].Query)
		}
	}
}

// A client that reads nothing fills all buffers on the way to it: it is cut all the same.
func TestClientsThatDoNotReadAreCut(t *testing.T) {
	w := newWorld(t, "slow")
	project, alice := w.project("vision"), w.user("alice")
	w.writer(project, alice)
	w.job(project, "train")
	pod := w.pod(project, "train", w.node())
	w.compile(writes(project, alice))
	conn, _, code := w.upgrade(http.MethodPost, "/api/v1/namespaces/"+project+"/pods/"+pod+"/exec?command=sh&stdin=true", append(spdy, "Authorization: Bearer "+alice)...)
	if code != http.StatusSwitchingProtocols {
		t.Fatal(code)
	}
	if err := conn.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for {
		if _, err := conn.Write(block); err != nil {
			break // everything is full
		}
	}
	w.signIn.end(alice)
	w.proxy.recheck(t.Context(), w.proxy.streams.Of(alice))
	w.eventually("nothing is open", func() bool { return w.proxy.streams.Count() == 0 })
}

func TestPagesOfOtherOriginsOpenNothing(t *testing.T) {
	w := newWorld(t, "origins")
	project, alice := w.project("vision"), w.user("alice")
	w.writer(project, alice)
	w.job(project, "train")
	pod := w.pod(project, "train", w.node())
	w.compile(writes(project, alice))
	path := "/api/v1/namespaces/" + project + "/pods/" + pod + "/portforward"
	ticket := func(path string) string {
		code, got, _ := w.ticket("/kube"+path, "Cookie", "session="+alice, "Origin", "https://soma.example")
		if code != http.StatusOK {
			t.Fatalf("no ticket for a page of the gateway's own: %d", code)
		}
		return "Sec-WebSocket-Protocol: v5.channel.k8s.io, soma.ticket." + got
	}
	for _, origin := range []string{
		"", "Origin: null", "Origin: https://evil.example", "Origin: http://soma.example", "Origin: https://soma.example:8443", "Origin: https://soma.example.evil.example",
		"Origin: https://soma.example/", "Origin: HTTPS://SOMA.EXAMPLE", "Origin: https://a.soma.example", "Origin: https://soma.example@evil.example", "Origin: https://soma.example https://evil.example",
	} {
		lines := append([]string{"Cookie: session=" + alice, ticket(path)}, spdy...)
		if origin != "" {
			lines = append(lines, origin)
		}
		if _, _, code := w.upgrade(http.MethodPost, path, lines...); code != http.StatusForbidden {
			t.Errorf("%q is answered %d", origin, code)
		}
	}
	lines := append([]string{"Cookie: session=" + alice, "Origin: https://soma.example"}, spdy...)
	good := ticket(path)
	for name, line := range map[string]string{
		"no ticket": "X: y", "a ticket for another address": ticket(path + "?ports=80"), "two tickets": good + ", soma.ticket.x", "no ticket at all": "Sec-WebSocket-Protocol: soma.ticket.",
	} {
		if _, _, code := w.upgrade(http.MethodPost, path, append(lines, line)...); code != http.StatusForbidden {
			t.Errorf("the gateway's own page with %s is answered %d", name, code)
		}
	}
	if _, _, code := w.upgrade(http.MethodPost, path, append(lines, good)...); code != http.StatusSwitchingProtocols {
		t.Errorf("the gateway's own page is answered %d", code)
	}
	if _, _, code := w.upgrade(http.MethodPost, path, append(lines, good)...); code != http.StatusForbidden {
		t.Errorf("a ticket that was used is answered %d", code)
	}
	stolen := ticket(path)
	for i, line := range lines {
		lines[i] = strings.Replace(line, "session="+alice, "session="+alice+":other", 1)
	}
	if _, _, code := w.upgrade(http.MethodPost, path, append(lines, stolen)...); code != http.StatusForbidden {
		t.Errorf("a ticket of another session is answered %d", code)
	}

	remove := func(header, value string) int {
		r := w.request(http.MethodDelete, "", jobsPath+project+"/jobs/nothing", nil)
		r.Header.Set("Cookie", "session="+alice)
		if header != "" {
			r.Header.Set(header, value)
		}
		code, _ := w.do(r)
		return code
	}
	for _, one := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
		if code := remove(one[0], one[1]); code != http.StatusForbidden {
			t.Errorf("a change with %v is answered %d", one, code)
		}
	}
	for _, one := range [][2]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", "https://soma.example"}} {
		if code := remove(one[0], one[1]); code != http.StatusNotFound {
			t.Errorf("a change with %v is answered %d", one, code)
		}
	}
}

// ticket asks for a ticket for a path, with headers.
func (w *world) ticket(path string, headers ...string) (code int, ticket, body string) {
	w.t.Helper()
	text, err := json.Marshal(map[string]string{"path": path})
	if err != nil {
		w.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/connection-tickets", bytes.NewReader(text))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	w.proxy.TicketHandler().ServeHTTP(answer, r)
	var got struct{ Ticket string }
	_ = json.Unmarshal(answer.Body.Bytes(), &got) // a refusal has none
	return answer.Code, got.Ticket, answer.Body.String()
}

func TestTicketsAreForOwnPages(t *testing.T) {
	w, project, alice, _ := work(t, "tickets")
	cookie, origin := []string{"Cookie", "session=" + alice}, []string{"Origin", "https://soma.example"}
	exec := "/kube/api/v1/namespaces/" + project + "/pods/p/exec?command=sh"
	tests := map[string]struct {
		path    string
		headers []string
		want    int
	}{
		"a page of our own":     {exec, slices.Concat(cookie, origin), http.StatusOK},
		"no page":               {exec, cookie, http.StatusForbidden},
		"another page":          {exec, slices.Concat(cookie, []string{"Origin", "https://evil.example"}), http.StatusForbidden},
		"two pages":             {exec, slices.Concat(cookie, origin, []string{"Origin", "https://evil.example"}), http.StatusForbidden},
		"nobody":                {exec, origin, http.StatusUnauthorized},
		"a program":             {exec, slices.Concat(origin, []string{"Authorization", "Bearer " + alice}), http.StatusBadRequest},
		"what is no connection": {"/kube/api/v1/namespaces/" + project + "/pods/p", slices.Concat(cookie, origin), http.StatusBadRequest},
		"another place":         {"https://evil.example/kube/api/v1/namespaces/x/pods/p/exec", slices.Concat(cookie, origin), http.StatusBadRequest},
		"an odd path":           {"/kube/api/v1/namespaces/x/../y/pods/p/exec", slices.Concat(cookie, origin), http.StatusBadRequest},
		"a long path":           {exec + strings.Repeat("x", 20_000), slices.Concat(cookie, origin), http.StatusBadRequest},
		"a path that is none":   {"", slices.Concat(cookie, origin), http.StatusBadRequest},
	}
	for name, test := range tests {
		if code, ticket, body := w.ticket(test.path, test.headers...); code != test.want || (ticket != "") != (code == http.StatusOK) {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/connection-tickets", nil)
	answer := httptest.NewRecorder()
	w.proxy.TicketHandler().ServeHTTP(answer, r)
	if answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("a GET is answered %d", answer.Code)
	}
}

func TestUpgradesAreForConnectionsAlone(t *testing.T) {
	w, project, alice, _ := work(t, "upgrades")
	auth := "Authorization: Bearer " + alice
	for _, path := range []string{jobsPath + project + "/jobs?watch=true", "/api", "/api/v1/namespaces/" + project + "/pods/x/log"} {
		if _, _, code := w.upgrade(http.MethodGet, path, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", auth); code != http.StatusBadRequest {
			t.Errorf("%s: a WebSocket is answered %d", path, code)
		}
	}
	// What asks for HTTP/2 in this way, and is not given it, goes on without.
	if _, _, code := w.upgrade(http.MethodGet, "/version", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", auth); code != http.StatusOK {
		t.Errorf("h2c is answered %d", code)
	}
}
