package scrape

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// verbs are the requests that change something, by the names that the API server Counts them under.
var verbs = map[string]string{
	"POST": "create", "PUT": "update", "PATCH": "patch", "APPLY": "apply", "DELETE": "delete", "DELETECOLLECTION": "delete",
}

// WriteOf names a write by what it does to what; nothing for a request that only reads, for a heart-beat, which comes
// whether there are jobs or not, and for a question of who may do what, which is written nowhere.
func WriteOf(labels map[string]string) string {
	verb, group, resource := verbs[labels["verb"]], labels["group"], labels["resource"]
	switch {
	case verb == "" || resource == "" || labels["dry_run"] != "":
		return ""
	case resource == "leases" || (resource == "nodes" && group == ""):
		return ""
	case group == "authentication.k8s.io" || group == "authorization.k8s.io" || labels["subresource"] == "token":
		return ""
	}
	if group != "" && group != "events.k8s.io" { // events of both groups are the same objects
		resource += "." + group
	}
	if labels["subresource"] != "" {
		resource += "/" + labels["subresource"]
	}
	return verb + " " + resource
}

// Counts are numbers of requests by what they are.
type Counts map[string]float64

// Plus is both together.
func (c Counts) Plus(other Counts) Counts { return c.combine(other, 1) }

// Minus is by how much there are more than of the other.
func (c Counts) Minus(other Counts) Counts { return c.combine(other, -1) }

func (c Counts) combine(other Counts, sign float64) Counts {
	all := maps.Clone(c)
	for request, n := range other {
		all[request] += sign * n
	}
	return all
}

// Each is the Counts for each of n.
func (c Counts) Each(n float64) Counts {
	all := Counts{}
	for request, total := range c {
		all[request] = total / n
	}
	return all
}

// Sum is how many there are of all.
func (c Counts) Sum() float64 {
	total := 0.0
	for _, n := range c {
		total += n
	}
	return total
}

// Frequent are the requests that there are at least so many of, by what they are made to.
func (c Counts) Frequent(least float64) []string {
	var requests []string
	for request, n := range c {
		if n >= least {
			requests = append(requests, request)
		}
	}
	slices.SortFunc(requests, func(a, b string) int { return cmp.Or(cmp.Compare(object(a), object(b)), cmp.Compare(a, b)) })
	return requests
}

func object(request string) string {
	_, object, _ := strings.Cut(request, " ")
	return object
}
