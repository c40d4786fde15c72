package jobpages

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// absentMessage is said both where there is no page and where the caller may not see it: the two are not to be told apart.
const absentMessage = "There is no such page, or you may not see it."

// retrySeconds is after how long a page that waits for its job looks again.
const retrySeconds = 5

var messageTemplate = template.Must(template.New("message").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
{{- if .Refresh}}
<meta http-equiv="refresh" content="{{.Refresh}}">
{{- end}}
</head>
<body>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{- range .Facts}}
<p>{{.}}</p>
{{- end}}
</body>
</html>
`))

type message struct {
	Title, Text string
	Facts       []string
	// Refresh is after how many seconds a browser looks again; 0 is never.
	Refresh int
}

// say answers with a sentence: a page for browsers, JSON for programs.
func (s *Service) say(w http.ResponseWriter, status int, browser bool, text string) {
	s.show(w, status, browser, message{Title: "Soma", Text: text})
}

func (s *Service) show(w http.ResponseWriter, status int, browser bool, m message) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
	var out bytes.Buffer
	if browser {
		h.Set("Content-Type", "text/html; charset=utf-8")
		if err := messageTemplate.Execute(&out, m); err != nil {
			s.Log.Error(err, "a page was not made")
		}
	} else {
		h.Set("Content-Type", "application/json")
		if err := json.NewEncoder(&out).Encode(map[string]string{"message": m.Text}); err != nil {
			s.Log.Error(err, "an answer was not made")
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// refuse answers a request that does not reach the job.
func (s *Service) refuse(w http.ResponseWriter, j judged) {
	browser := j.request.navigation()
	switch j.answer {
	case signIn:
		s.sendToSignIn(w, j.request)
	case unauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="soma"`)
		s.say(w, http.StatusUnauthorized, browser, "Sign in, or send a token in Authorization: Bearer.")
	case absent:
		s.say(w, http.StatusNotFound, browser, absentMessage)
	case waiting:
		w.Header().Set("Retry-After", strconv.Itoa(retrySeconds))
		s.show(w, http.StatusServiceUnavailable, browser, waitingFor(j.page.Job))
	case crossSite:
		s.say(w, http.StatusForbidden, browser, "What another site's page begins is refused.")
	default:
		s.say(w, http.StatusForbidden, browser, "The request is refused.")
	}
}

// notThere says that a job runs and does not listen: it may have started a moment ago.
var notThere = message{
	Title: "The page is not there yet", Text: "The job runs, and does not answer yet. This page looks again every few seconds.", Refresh: retrySeconds,
}

// waitingFor says why the page of a job is not there.
func waitingFor(job *v1alpha1.Job) message {
	name := job.Namespace + "/" + job.Name
	m := message{Title: "Job " + job.Name + " does not run", Text: "The page of job " + name + " is there while the job runs."}
	status := &job.Status
	if status.Phase != "" {
		fact := "It is " + string(status.Phase)
		if status.Reason != "" {
			fact += " (" + string(status.Reason) + ")"
		}
		m.Facts = append(m.Facts, fact+".")
	}
	if status.Message != "" {
		m.Facts = append(m.Facts, status.Message)
	}
	if !status.Phase.Finished() {
		m.Refresh = retrySeconds
		m.Facts = append(m.Facts, "This page looks again every few seconds.")
	}
	return m
}
