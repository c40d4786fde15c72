package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxLabel is the longest label of a host name.
const maxLabel = 63

// hashDigits is how much of a hash stands in the host name of a page for what does not fit into it.
const hashDigits = 12

// PageHost is the first label of the host on which the page of a job is: `train--vision` for job train of project vision.
// Where that would be too long, could be read in two ways, or mean something to browsers, a hash of both names stands in for the
// project. Names of projects begin with a letter, so that no project has the name of a hash.
func PageHost(job, project string) string {
	label := job + "--" + project
	if len(label) <= maxLabel && !strings.Contains(job, "--") && !strings.Contains(project, "--") &&
		!strings.HasSuffix(job, "-") && !strings.HasPrefix(label, "xn--") {
		return label
	}
	sum := sha256.Sum256([]byte(project + "/" + job))
	hash := "0" + hex.EncodeToString(sum[:])[:hashDigits]
	if strings.HasPrefix(label, "xn--") {
		return hash
	}
	return job + "--" + hash
}
