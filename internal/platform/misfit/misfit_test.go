package misfit

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type object struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta  `json:"metadata"`
	Text            string             `json:"text,omitempty"`
	Count           *int32             `json:"count,omitempty"`
	Yes             bool               `json:"yes"`
	Share           float64            `json:"share"`
	Time            metav1.Time        `json:"time"`
	Size            *resource.Quantity `json:"size"`
	Items           []item             `json:"items"`
	Labels          map[string]string  `json:"labels"`
	hidden          int
}

type item struct {
	Size resource.Quantity `json:"size"`
	Tags []string          `json:"tags"`
}

func TestFind(t *testing.T) {
	_ = object{}.hidden
	for name, tt := range map[string]struct {
		document string
		want     []string
	}{
		"fits":                {`{"kind":"A","metadata":{"name":"a"},"text":"x","count":2,"size":"1Gi","items":[{"size":1}],"labels":{"a":"b"},"other":[1]}`, nil},
		"nothing":             {`{}`, nil},
		"null":                {`{"count":null,"size":null,"items":null}`, nil},
		"a word":              {`{"count":"two"}`, []string{`count: Invalid value: "two": must be of type integer`}},
		"a part":              {`{"count":1.5}`, []string{`count: Invalid value: "1.5": must be of type integer`}},
		"too large":           {`{"count":99999999999}`, []string{`count: Invalid value: "99999999999": must be a number of 32 bits`}},
		"an amount":           {`{"size":"much"}`, []string{`size: Invalid value: "much": must be an amount, for instance 4, 500m or 16Gi`}},
		"an amount in a list": {`{"items":[{"size":"1"},{"size":[1]}]}`, []string{`items[1].size: Invalid value: "[1]": must be an amount, for instance 4, 500m or 16Gi`}},
		"several": {`{"text":1,"yes":"no","share":"half","time":"noon","items":{"a":1}}`, []string{
			`text: Invalid value: "1": must be of type string`, `yes: Invalid value: "no": must be of type boolean`,
			`share: Invalid value: "half": must be of type number`, `time: Invalid value: "noon": must be a Time`,
			`items: Invalid value: "{\"a\":1}": must be of type array`,
		}},
		"in a map":         {`{"labels":{"a":true}}`, []string{`labels[a]: Invalid value: "true": must be of type string`}},
		"no map":           {`{"labels":"a"}`, []string{`labels: Invalid value: "a": must be of type object`}},
		"no object":        {`{"metadata":"a"}`, []string{`metadata: Invalid value: "a": must be of type object`}},
		"an inlined field": {`{"kind":1}`, []string{`kind: Invalid value: "1": must be of type string`}},
		"a long value":     {`{"count":"` + strings.Repeat("x", 101) + `"}`, []string{`count: Invalid value: "` + strings.Repeat("x", 100) + `…": must be of type integer`}},
		"many":             {`{"items":[` + strings.Repeat(`{"tags":[1]},`, 20) + `1]}`, slices.Repeat([]string{""}, most)},
	} {
		t.Run(name, func(t *testing.T) {
			found := Find([]byte(tt.document), &object{})
			if len(found) != len(tt.want) {
				t.Fatalf("found %v, want %d", found, len(tt.want))
			}
			for i, want := range tt.want {
				if got := found[i].Error(); want != "" && got != want {
					t.Errorf("found %s, want %s", got, want)
				}
			}
		})
	}
}
