package access

import (
	"fmt"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/soma-platform/soma/internal/access"
)

func namesOf(user string) []rbacv1.Subject { return []rbacv1.Subject{{Kind: "User", Name: user}} }

func users(count int) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = fmt.Sprint("user-", i)
	}
	return all
}

func TestPartsOf(t *testing.T) {
	for count, want := range map[int][]string{
		0: {"soma:role"}, maxUsers: {"soma:role"}, maxUsers + 1: {"soma:role#2", "soma:role"},
		5 * maxUsers: {"soma:role#8", "soma:role#7", "soma:role#6", "soma:role#5", "soma:role#4", "soma:role#3", "soma:role#2", "soma:role"},
	} {
		var names, bound []string
		for _, part := range partsOf(access.CompiledRole{Name: "soma:role", Users: users(count)}, namesOf) {
			names = append(names, part.name)
			if len(part.subjects) > maxUsers*5/4 {
				t.Errorf("%d users: %s has %d", count, part.name, len(part.subjects))
			}
			for _, subject := range part.subjects {
				bound = append(bound, subject.Name)
			}
		}
		all := users(count)
		slices.Sort(all)
		slices.Sort(bound)
		if !slices.Equal(names, want) || !slices.Equal(bound, all) {
			t.Errorf("%d users: %v with %d, want %v", count, names, len(bound), want)
		}
	}
}

// While one after the other is written, nobody is in none of them for a moment, whether they become more or fewer.
func TestNobodyFallsBetweenParts(t *testing.T) {
	for _, step := range [][2]int{{maxUsers, maxUsers + 1}, {maxUsers + 1, maxUsers}, {2 * maxUsers, 4*maxUsers + 1}, {4*maxUsers + 1, 2 * maxUsers}} {
		bound := map[string]map[string]bool{}
		put := func(part bindingPart) {
			bound[part.name] = map[string]bool{}
			for _, subject := range part.subjects {
				bound[part.name][subject.Name] = true
			}
		}
		for _, part := range partsOf(access.CompiledRole{Name: "soma:role", Users: users(step[0])}, namesOf) {
			put(part)
		}
		for _, part := range partsOf(access.CompiledRole{Name: "soma:role", Users: users(step[1])}, namesOf) {
			put(part)
			for _, user := range users(min(step[0], step[1])) {
				is := false
				for _, of := range bound {
					is = is || of[user]
				}
				if !is {
					t.Fatalf("from %d users to %d, after %s: %s is bound no more", step[0], step[1], part.name, user)
				}
			}
		}
	}
}
