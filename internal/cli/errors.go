package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/signin"
)

// apiError is an error of the API server in words for a person. The server's own error stays reachable for errors.Is.
type apiError struct {
	text string
	err  error
}

func (e *apiError) Error() string { return e.text }
func (e *apiError) Unwrap() error { return e.err }

// explainError says what failed, where and what to do.
func (a *app) explainError(ctx context.Context, err error, gvr schema.GroupVersionResource, namespace, name string) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	server := ""
	if a.clients != nil {
		server = a.clients.config.Host
	}
	if a.clients != nil && isRefusal(err) && a.lost(ctx, err, gvr, namespace, name) {
		return &apiError{text: noProject(namespace, a.program), err: err}
	}
	return &apiError{text: describeError(err, gvr, namespace, name, a.program, server), err: err}
}

// isRefusal reports that one of Soma's users is refused something by the rights that they have.
func isRefusal(err error) bool {
	return apierrors.IsForbidden(err) && refusedRequest.MatchString(err.Error()) && strings.Contains(err.Error(), `User "`+access.UserPrefix)
}

// lost reports that something was refused in a project that is not there, or not for who asks. Of one thing to look at it is told
// anyway that it is not there; and where it cannot be found out, it is as if the project were.
func (a *app) lost(ctx context.Context, err error, gvr schema.GroupVersionResource, namespace, name string) bool {
	if l, known := lackIn(err, gvr, namespace, name); namespace == "" || !known || l.reading() && name != "" {
		return false
	}
	ctx, cancel := a.request(ctx)
	defer cancel()
	_, err = a.clients.dynamic.Resource(projects).Get(ctx, namespace, metav1.GetOptions{})
	return unseen(err)
}

// noProject says that the current project is not there, or not for who asks: whom to ask for a right in it is of no help.
func noProject(name, program string) string {
	return fmt.Sprintf("project %q does not exist, or you may not see it\n"+
		"see your projects with \"%s project ls\", choose one with \"%s project use NAME\" or --project", name, program, program)
}

// unknownJob tells that a job has no object, and that the history, which may have its record, cannot be asked.
func unknownJob(name string, err error) error {
	return fmt.Errorf("job %q has no object, and its record cannot be looked for: %w", name, err)
}

// describeError is the pure part of explainError.
func describeError(err error, gvr schema.GroupVersionResource, namespace, name, program, server string) string {
	one := singular(gvr)
	what := one
	if name != "" {
		what = fmt.Sprintf("%s %q", one, name)
	}
	where := ""
	if namespace != "" {
		where = fmt.Sprintf(" in project %q", namespace)
	}
	var status apierrors.APIStatus
	var requestError *url.Error
	switch {
	case !errors.As(err, &status) && strings.Contains(err.Error(), noCredentials):
		// What it is says the command that was to give them, before.
		return fmt.Sprintf("the kubeconfig gives no credentials for the cluster at %s\nsign in (\"%s login URL\"), or choose another user or context of the kubeconfig", server, program)
	case errors.As(err, &requestError) && !errors.As(err, &status), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("the cluster at %s does not answer: %v\ncheck the server's address in the kubeconfig and your network", server, rootCause(err))
	case !errors.As(err, &status):
		return err.Error()
	}
	details := status.Status().Details
	switch {
	case apierrors.IsNotFound(err) && details != nil && details.Kind == "namespaces":
		return noProject(namespace, program)
	case apierrors.IsNotFound(err) && details != nil && details.Name == "":
		return fmt.Sprintf("the cluster at %s does not know the resource %s\nis Soma installed there? \"%s doctor\" looks", server, gvr.GroupResource(), program)
	case apierrors.IsNotFound(err):
		if l, known := lackIn(err, gvr, namespace, name); known && name != "" {
			return absentText(gvr, namespace, name, program, l)
		}
		text := fmt.Sprintf("%s%s does not exist", what, where)
		if hint := listHint(gvr); hint != "" {
			text += fmt.Sprintf("\nsee what there is with \"%s %s\"", program, hint)
		}
		return text
	case apierrors.IsAlreadyExists(err):
		return fmt.Sprintf("%s%s exists already\nchoose another name", what, where)
	case apierrors.IsUnauthorized(err) && details != nil && slices.ContainsFunc(details.Causes, isBarred):
		return fmt.Sprintf("the cluster at %s does not let you in: %s", server, status.Status().Message)
	case apierrors.IsUnauthorized(err):
		return fmt.Sprintf("the cluster at %s does not accept your credentials\nsign in again (\"%s login URL\"), or choose another user or context of the kubeconfig", server, program)
	case apierrors.IsForbidden(err):
		return describeRefusal(err, gvr, namespace, name, program)
	case apierrors.IsInvalid(err) && details != nil && len(details.Causes) > 0:
		return fmt.Sprintf("%s is not valid:\n%s", what, describeCauses(details.Causes))
	case apierrors.IsConflict(err):
		return fmt.Sprintf("%s%s was changed by somebody else at the same moment\ntry again", what, where)
	case apierrors.IsInternalError(err) && strings.Contains(status.Status().Message, "calling webhook"):
		return fmt.Sprintf("Soma's manager does not answer, so nothing can be submitted or changed now: %s\nwhat runs is not affected; try again in a moment, or ask an administrator to look at namespace soma-system", shorten(status.Status().Message, 300))
	case apierrors.IsServiceUnavailable(err) && gvr == jobRecords:
		return fmt.Sprintf("the history does not answer: %s\nwhat runs is not affected; try again later", status.Status().Message)
	case admissionRefused.MatchString(status.Status().Message):
		// Admission says itself what is wrong and where.
		return "refused: " + admissionRefused.ReplaceAllString(status.Status().Message, "")
	default:
		return fmt.Sprintf("%s\n\"%s doctor\" looks for what is wrong", status.Status().Message, program)
	}
}

// noCredentials is how the client says that the command which the kubeconfig names for credentials failed.
const noCredentials = "getting credentials: "

// isBarred reports that the credentials are good, and signing in again does not help: the gateway says what does.
func isBarred(cause metav1.StatusCause) bool { return cause.Type == signin.CauseBarred }

// admissionRefused is how the API server introduces what admission said.
var admissionRefused = regexp.MustCompile(`^admission webhook "[^"]+" denied the request: `)

// reasonOf is what the API server answered.
func reasonOf(err error) metav1.Status {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status()
	}
	return metav1.Status{Message: err.Error()}
}

// unseen reports that something does not exist or may not be seen: which of the two nobody is told.
func unseen(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsForbidden(err) }

func describeCauses(causes []metav1.StatusCause) string {
	lines := make([]string, 0, len(causes))
	for _, cause := range causes {
		// A rule's message comes as `Invalid value: <the value>: message`; the value can be long and is the user's own.
		text := shorten(plain(cause.Message), 300)
		if cause.Field != "" && cause.Field != "<nil>" { // a rule about the object as a whole has no field
			text = cause.Field + ": " + text
		}
		lines = append(lines, "  "+text)
	}
	return strings.Join(lines, "\n")
}

// schemaWords are how the API server tells of a bound of the schema: the value, the field once more, the bound.
var schemaWords = regexp.MustCompile(`(?s)^Invalid value: (.*): \S+ in body (should .*)$`)

// bounds are the words of the schema that people have shorter ones for.
var bounds = strings.NewReplacer("be less than or equal to", "be at most", "be greater than or equal to", "be at least", " chars long", " characters long")

// plain is a cause in the words of people, where the API server has those of the schema.
func plain(message string) string {
	if found := schemaWords.FindStringSubmatch(message); found != nil {
		return shorten(found[1], 100) + " " + bounds.Replace(found[2])
	}
	return message
}

func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

func singular(gvr schema.GroupVersionResource) string {
	if gvr == jobRecords {
		return "record"
	}
	return strings.TrimSuffix(gvr.Resource, "s")
}

func listHint(gvr schema.GroupVersionResource) string {
	switch gvr {
	case jobs, jobRecords:
		return "ps -a"
	case projects, clusters, quotas, roles, users:
		return singular(gvr) + " ls"
	case grants:
		return "acl ls"
	default:
		return ""
	}
}

// shorten cuts a text for people at a number of characters.
func shorten(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
