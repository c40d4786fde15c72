package cli

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// secretPrefix marks a value or a volume that comes from one of the project's secrets.
const secretPrefix = "secret:"

// maxEnvFile bounds the size of an environment file, in bytes; the API takes no more than 64 KiB of values.
const maxEnvFile = 256 << 10

// parseEnv reads NAME=VALUE, where VALUE may be secret:NAME/KEY. NAME alone takes the value of the user's own environment.
func parseEnv(text string, lookup func(string) (string, bool)) (v1alpha1.EnvVar, error) {
	name, value, given := strings.Cut(text, "=")
	if name == "" {
		return v1alpha1.EnvVar{}, fmt.Errorf("%q is not a variable; write NAME=VALUE", text)
	}
	if !given {
		if value, given = lookup(name); !given {
			return v1alpha1.EnvVar{}, fmt.Errorf("%s is not set in your environment; write %s=VALUE", name, name)
		}
		return v1alpha1.EnvVar{Name: name, Value: value}, nil
	}
	reference, secret := strings.CutPrefix(value, secretPrefix)
	if !secret {
		return v1alpha1.EnvVar{Name: name, Value: value}, nil
	}
	secretName, key, _ := strings.Cut(reference, "/")
	if secretName == "" || key == "" {
		return v1alpha1.EnvVar{}, fmt.Errorf("%q does not name a secret's key; write %s=secret:NAME/KEY", text, name)
	}
	return v1alpha1.EnvVar{Name: name, Secret: &v1alpha1.SecretKey{Name: secretName, Key: key}}, nil
}

// parseEnvFile reads a file of variables, one a line. Empty lines and lines that begin with # do not count.
func parseEnvFile(file io.Reader, name string, lookup func(string) (string, bool)) ([]v1alpha1.EnvVar, error) {
	text, err := io.ReadAll(io.LimitReader(file, maxEnvFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxEnvFile {
		return nil, fmt.Errorf("%s is larger than %d KiB; put large data into a file or a secret", name, maxEnvFile>>10)
	}
	var vars []v1alpha1.EnvVar
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := parseEnv(line, lookup)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		vars = append(vars, v)
	}
	return vars, nil
}

// parseVolume reads secret:NAME[/KEY]:/path or scratch:SIZE:/path.
func parseVolume(text string) (v1alpha1.Volume, error) {
	kind, rest, _ := strings.Cut(text, ":")
	source, path, found := strings.Cut(rest, ":")
	if !found || source == "" || path == "" {
		return v1alpha1.Volume{}, fmt.Errorf("%q is not a volume; write secret:NAME[/KEY]:/path or scratch:SIZE:/path", text)
	}
	switch kind {
	case "secret":
		name, key, _ := strings.Cut(source, "/")
		return v1alpha1.Volume{MountPath: path, Secret: &v1alpha1.SecretVolume{Name: name, Key: key}}, nil
	case "scratch":
		size, err := resource.ParseQuantity(source)
		if err != nil {
			return v1alpha1.Volume{}, fmt.Errorf("%q: %q is not a size; write for instance scratch:20Gi:%s", text, source, path)
		}
		return v1alpha1.Volume{MountPath: path, Scratch: &v1alpha1.ScratchVolume{Size: size}}, nil
	default:
		return v1alpha1.Volume{}, fmt.Errorf("%q: there is no kind of volume %q; the kinds are secret and scratch", text, kind)
	}
}

// parseGPU reads N or N:MODEL. 0 means none.
func parseGPU(text string) (*v1alpha1.GPUs, error) {
	number, model, withModel := strings.Cut(text, ":")
	count, err := strconv.ParseInt(number, 10, 32)
	if err != nil || count < 0 || withModel && model == "" || count == 0 && withModel {
		return nil, fmt.Errorf("%q is not a number of GPUs; write for instance 1 or 2:NVIDIA-A100-SXM4-80GB", text)
	}
	if count == 0 {
		return nil, nil
	}
	if models := strings.Split(model, ","); len(models) > 1 {
		return &v1alpha1.GPUs{Count: int32(count), Models: models}, nil
	}
	return &v1alpha1.GPUs{Count: int32(count), Model: model}, nil
}

// parseQuantity reads an amount given by the flag of the name.
func parseQuantity(flag, text string) (*resource.Quantity, error) {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return nil, fmt.Errorf("--%s: %q is not an amount; write for instance 4, 500m or 16Gi", flag, text)
	}
	return &q, nil
}

// parsePriority reads low, normal or high.
func parsePriority(text string) (v1alpha1.JobPriority, error) {
	for _, p := range []v1alpha1.JobPriority{v1alpha1.PriorityLow, v1alpha1.PriorityNormal, v1alpha1.PriorityHigh} {
		if strings.EqualFold(string(p), text) {
			return p, nil
		}
	}
	return "", fmt.Errorf("there is no priority %q; the priorities are low, normal and high", text)
}

// restartWords are the words of --restart.
var restartWords = map[string]v1alpha1.RestartPolicy{
	"never": v1alpha1.RestartNever, "on-failure": v1alpha1.RestartOnFailure, "always": v1alpha1.RestartAlways,
}

func parseRestart(text string) (v1alpha1.RestartPolicy, error) {
	policy, found := restartWords[strings.ToLower(text)]
	if !found {
		return "", fmt.Errorf("there is no restart policy %q; the policies are never, on-failure and always", text)
	}
	return policy, nil
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

const (
	nameSuffix   = 5  // random characters at the end of a generated name
	maxNameStem  = 28 // characters before them
	fallbackStem = "job"
)

// nameStem is the readable part of a generated name: the last part of the image's name.
func nameStem(image string) string {
	image, _, _ = strings.Cut(image, "@")
	image = image[strings.LastIndex(image, "/")+1:]
	image, _, _ = strings.Cut(image, ":")
	stem := strings.TrimLeft(notInNames.ReplaceAllString(strings.ToLower(image), "-"), "-0123456789")
	if len(stem) > maxNameStem {
		stem = stem[:maxNameStem]
	}
	if stem = strings.Trim(stem, "-"); stem == "" {
		return fallbackStem
	}
	return stem
}

var generatedName = regexp.MustCompile(`-[bcdfghjklmnpqrstvwxz2456789]{5}$`)

// cloneStem is the readable part of the name of a job that runs another one again.
func cloneStem(name string) string {
	stem := generatedName.ReplaceAllString(name, "")
	if len(stem) > maxNameStem {
		stem = strings.Trim(stem[:maxNameStem], "-")
	}
	if stem == "" {
		return fallbackStem
	}
	return stem
}

// goodName is what the schema wants of a job's name, which Kubernetes itself has other words for.
var goodName = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

const maxName = 40

// jobName is the name that was given, or one that is generated from the stem.
func (f *jobFlags) jobName(stem string) (string, error) {
	switch {
	case f.name == "":
		return generateName(stem), nil
	case len(f.name) > maxName || !goodName.MatchString(f.name):
		return "", fmt.Errorf("--name: %q cannot be a job's name; write 1 to %d lower-case letters, digits and '-', beginning with a letter", shorten(f.name, 2*maxName), maxName)
	}
	return f.name, nil
}

// generateName adds to the stem what makes it unlike any other.
func generateName(stem string) string { return stem + "-" + rand.String(nameSuffix) }

// ruleActions are the words of --restart-rule.
var ruleActions = map[string]v1alpha1.RestartAction{
	"retry": v1alpha1.RestartRetry, "retry-free": v1alpha1.RestartRetryFree, "fail": v1alpha1.RestartFail,
}

const ruleForm = "write ACTION:WHAT[:TIMES[:PAUSES]], for instance fail:42, retry-free:75,76:10, fail:OutOfMemory or retry:Image::1m,10m"

// parseRule reads ACTION:WHAT[:TIMES[:PAUSES]], where WHAT are exit codes or categories of failures. TIMES may be empty.
func parseRule(text string) (v1alpha1.RestartRule, error) {
	parts := strings.Split(text, ":")
	action, found := ruleActions[strings.ToLower(parts[0])]
	if !found || len(parts) < 2 || len(parts) > 4 {
		return v1alpha1.RestartRule{}, fmt.Errorf("%q is not a rule; %s; the actions are retry, retry-free and fail", text, ruleForm)
	}
	rule := v1alpha1.RestartRule{Action: action}
	for what := range strings.SplitSeq(parts[1], ",") {
		if code, err := strconv.ParseInt(what, 10, 32); err == nil {
			rule.ExitCodes = append(rule.ExitCodes, int32(code))
		} else {
			rule.Categories = append(rule.Categories, v1alpha1.FailureCategory(what))
		}
	}
	if len(rule.ExitCodes) > 0 && len(rule.Categories) > 0 {
		return rule, fmt.Errorf("%q: a rule is about exit codes or about categories; give two rules", text)
	}
	if len(parts) > 2 && parts[2] != "" {
		times, err := strconv.ParseInt(parts[2], 10, 32)
		if err != nil {
			return rule, fmt.Errorf("%q: %q is not a number of times; %s", text, parts[2], ruleForm)
		}
		most := int32(times)
		rule.MaxRetries = &most
	}
	if len(parts) == 4 {
		var err error
		if rule.BackoffSeconds, rule.MaxBackoffSeconds, err = parsePauses(parts[3]); err != nil {
			return rule, fmt.Errorf("%q: %w; %s", text, err, ruleForm)
		}
	}
	return rule, nil
}

// parsePauses reads FIRST[,LONGEST].
func parsePauses(text string) (first, longest *int64, err error) {
	text, most, both := strings.Cut(text, ",")
	seconds, err := parseSeconds(text)
	if err != nil || !both {
		return &seconds, nil, err
	}
	mostSeconds, err := parseSeconds(most)
	return &seconds, &mostSeconds, err
}
