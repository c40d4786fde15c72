package scheduling

import (
	"fmt"
	"testing"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// What a job is told of a quota is what it asks for, and what `soma quota` says is used and may be: not what of that counts where the
// quotas below keep something for themselves.
func TestWhatIsToldOfQuotas(t *testing.T) {
	perUser := func(n int64) func(*Quota) { return func(q *Quota) { q.PerUser.GPUs = &n } }
	tree := []any{
		gpuQuota("research", 0), child("vision", "research", 8, borrowing(4)), child("speech", "research", 8, lending(6)), child("text", "research", 0),
		gpuNode("a", "A100", 64), gpuNode("b", "A100", 64),
	}
	tests := map[string]struct {
		world []any
		want  string
	}{
		"all is held": {
			[]any{holds("v", "vision", 8), holds("s", "speech", 7), job("w", 2, under("vision"))},
			`quota "research" is in use: the job asks for 2 GPUs, 15 of 16 GPUs are held`,
		},
		"part of what is asked for is kept for the job": {
			[]any{holds("t", "text", 5), holds("v", "vision", 8), holds("s", "speech", 1), job("w", 4, under("speech"))},
			`quota "research" is in use: the job asks for 4 GPUs, 14 of 16 GPUs are held`,
		},
		"the rest is kept for others": {
			[]any{holds("t", "text", 6), holds("v", "vision", 8), job("w", 1, under("text"))},
			`quota "research" is in use: the job asks for 1 GPUs, 14 of 16 GPUs are held, and 2 are not lent`,
		},
		"a part of the rest is": {
			[]any{holds("v", "vision", 8), holds("s", "speech", 1), job("w", 8, under("text"))},
			`quota "research" is in use: the job asks for 8 GPUs, 9 of 16 GPUs are held, and 1 are not lent`,
		},
		"its own quota": {
			[]any{holds("v", "vision", 11), job("w", 2, under("vision"))},
			`quota "vision" is in use: the job asks for 2 GPUs, 11 of 12 GPUs are held`,
		},
		"the user's share above": {
			[]any{with(gpuQuota("research", 0), perUser(4)), withUser(holds("s", "speech", 1), "carol"), job("w", 4, under("speech"))},
			`the share of user "carol" in quota "research" is in use: the job asks for 4 GPUs, 1 of 4 GPUs are held`,
		},
		"more than there is": {
			[]any{job("w", 17, under("speech"))}, `quota "research" can never start this job: it asks for 17 GPUs, the limit is 16 GPUs`,
		},
		"more than is lent": {
			[]any{job("w", 15, under("text"))}, `quota "research" can never start this job: it asks for 15 GPUs, the limit is 16 GPUs, of which 2 are not lent`,
		},
		"more than it may borrow": {
			[]any{job("w", 15, under("vision"))}, `quota "vision" can never start this job: it asks for 15 GPUs, the limit is 12 GPUs`,
		},
		"more than it may borrow, which is more than there is": {
			[]any{child("vision", "research", 8, borrowing(40)), job("w", 50, under("vision"))},
			`quota "research" can never start this job: it asks for 50 GPUs, the limit is 16 GPUs, of which 2 are not lent`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := engineWith(append(tree, tc.world...)...)
			e.Decide(start)
			if got := e.Message("w"); got != tc.want {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
		})
	}
}

// The numbers are those of the books.
func TestWhatIsToldStandsInTheBooks(t *testing.T) {
	lends := func(q *platformv1.Quota) { q.Spec.Lending = &platformv1.ResourceAmounts{GPUs: new(int32(6))} }
	quotas := pooled(apiQuota("research", "", 0, 15), apiQuota("vision", "research", 8, 8), apiQuota("speech", "research", 8, 7, lends))
	e := New(Options{})
	for i := range quotas {
		e.SetQuota(ReadQuota(&quotas[i]))
	}
	tell(e, gpuNode("a", "A100", 64), holds("v", "vision", 8), holds("s", "speech", 7), job("w", 2, under("vision")))
	e.Decide(start)
	most := OpenBooks(quotas, true).Balance("research").Most.GPUs
	want := fmt.Sprintf(`quota "research" is in use: the job asks for 2 GPUs, %d of %d GPUs are held`, *quotas[0].Status.Used.GPUs, *most)
	if got := e.Message("w"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// Who misspells a pool, or forgets a unit, is told what it is about.
func TestWordsForMistakes(t *testing.T) {
	bytes := int64(512)
	small := gpuQuota("wide", 8)
	small.Nominal.Memory = &bytes
	for name, tc := range map[string]struct {
		world []any
		want  string
	}{
		"a pool that is not there":                    {[]any{wide(), job("w", 1, pools("A10"))}, "there is no node in the pool A10; there are: A100, cpu"},
		"several":                                     {[]any{wide(), job("w", 0, pools("a", "b"))}, "there is no node in the pool a or b; there are: A100, cpu"},
		"a pool without GPUs":                         {[]any{wide(), job("w", 1, pools("cpu"))}, `no node that the job may use in the pool cpu has GPUs of the model "A100"; there are: A100`},
		"memory of a quota in bytes":                  {[]any{small, job("w", 0)}, `quota "wide" can never start this job: it asks for 1 GiB of memory, the limit is 512 bytes of memory`},
		"a model that is not there, without any pool": {[]any{wide(), job("w", 1, models("H100"))}, `no node that the job may use has GPUs of the model "H100"; there are: A100`},
	} {
		e := engineWith(append(tc.world, gpuNode("n", "A100", 8), cpuNode("c", 8))...)
		e.Decide(start)
		if got := e.Message("w"); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
