package cli

import (
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/soma-platform/soma/internal/access"
)

// refusedRequest is how the API server says what it refused.
var refusedRequest = regexp.MustCompile(`cannot ([a-z]+) resource "([a-z]+)(?:/([a-z]+))?" in API group`)

// isForbidden is how the API server introduces what others say of why they refuse something.
var isForbidden = regexp.MustCompile(`^[a-z.]+ ("[^"]*" )?is forbidden: `)

// lack is the right that somebody would need for what the API server refused, or did not find.
type lack struct {
	verb    string
	level   access.Level
	address string
	// question is how the command line asks for it.
	question string
}

func (l lack) String() string { return fmt.Sprintf("%s on %s", l.level.Action(), l.address) }

// reading reports whether it is about looking at something.
func (l lack) reading() bool { return l.verb == "get" || l.verb == "list" || l.verb == "watch" }

// lackFor finds the right for a request. It reports false for what no right of Soma's is about.
func lackFor(verb, subresource string, gvr schema.GroupVersionResource, namespace, name string) (lack, bool) {
	// That the project is in an organization does not matter: addresses are given within the project.
	d := access.NewDirectory()
	if namespace != "" {
		d.SetProject(namespace, &access.ProjectFacts{})
	}
	if gvr == projects && name != "" {
		d.SetProject(name, &access.ProjectFacts{})
	}
	request := access.Request{Verb: verb, Group: gvr.Group, Resource: gvr.Resource, Subresource: subresource, Namespace: namespace, Name: name}
	if gvr == pods {
		request.Job = jobOfPod(name)
	}
	if gvr == grants && !(lack{verb: verb}).reading() {
		return lack{verb: verb, level: access.Manage, address: fmt.Sprintf("what is shared in project %s", namespace)}, true
	}
	target, level, known := d.Requirement(request)
	if !known {
		return lack{}, false
	}
	l := lack{verb: verb, level: level, address: target.String()}
	if project := target.Project(); project != "" {
		l.question = fmt.Sprintf("can-i %s %s", level.Action(), target.Relative())
		l.address = fmt.Sprintf("%s in project %s", target.Relative(), project)
	}
	return l, true
}

// jobOfPod is the name of the job in that of its pod: JOB-UID-ATTEMPT-RANK.
func jobOfPod(pod string) string {
	for range 3 {
		at := strings.LastIndexByte(pod, '-')
		if at < 0 {
			return ""
		}
		pod = pod[:at]
	}
	return pod
}

// lackIn finds the right that is missing by the API server's own words. What was not found may be what one may not see.
func lackIn(err error, gvr schema.GroupVersionResource, namespace, name string) (lack, bool) {
	if apierrors.IsNotFound(err) {
		return lackFor("get", "", gvr, namespace, name)
	}
	said := refusedRequest.FindStringSubmatch(err.Error())
	if said == nil {
		return lack{}, false
	}
	return lackFor(said[1], said[3], gvr, namespace, name)
}

// describeRefusal says what is missing, and who may be asked. What one may not see looks as if it did not exist.
func describeRefusal(err error, gvr schema.GroupVersionResource, namespace, name, program string) string {
	message := reasonOf(err).Message
	l, known := lackIn(err, gvr, namespace, name)
	if !known {
		// Admission says itself what is missing.
		message = admissionRefused.ReplaceAllString(isForbidden.ReplaceAllString(message, ""), "")
		return fmt.Sprintf("refused: %s\n%s", message, whoGives(namespace, program, ""))
	}
	if l.reading() && name != "" {
		return absentText(gvr, namespace, name, program, l)
	}
	what := "the " + gvr.Resource
	if name != "" {
		what = fmt.Sprintf("%s %q", singular(gvr), name)
	}
	if namespace != "" {
		what += fmt.Sprintf(" in project %q", namespace)
	}
	return fmt.Sprintf("refused: you may not %s %s: missing %s\n%s", verbText(l.verb), what, l, whoGives(namespace, program, l.question))
}

// absentText says that something does not exist, or may not be seen: nobody is told which.
func absentText(gvr schema.GroupVersionResource, namespace, name, program string, l lack) string {
	text := fmt.Sprintf("%s %q", singular(gvr), name)
	if namespace != "" {
		text += fmt.Sprintf(" in project %q", namespace)
	}
	text += fmt.Sprintf(" does not exist, or you may not see it (%s)", l)
	if hint := listHint(gvr); hint != "" {
		text += fmt.Sprintf("\nsee what there is with \"%s %s\"", program, hint)
	}
	return text
}

// verbText is what somebody wanted to do.
func verbText(verb string) string {
	switch verb {
	case "get", "watch":
		return "see"
	case "patch", "update":
		return "change"
	case "create":
		return "make or use"
	case "deletecollection":
		return "delete"
	}
	return verb
}

// whoGives says who may be asked for a right, and how to find out who that is.
func whoGives(namespace, program, question string) string {
	switch {
	case namespace == "":
		return "ask an administrator for this right"
	case question == "":
		return fmt.Sprintf("ask who manages project %q for this right", namespace)
	}
	return fmt.Sprintf("ask who manages project %q for this right; \"%s %s\" names them where you may know them", namespace, program, question)
}
