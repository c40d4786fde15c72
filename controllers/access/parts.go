package access

import (
	"fmt"
	"hash/fnv"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/soma-platform/soma/internal/access"
)

// maxUsers is about how many users one binding has: an object that is larger than etcd takes could not be written at all.
const maxUsers = 2000

// bindingPart is a binding of some of those who are bound to a role.
type bindingPart struct {
	name     string
	subjects []rbacv1.Subject
}

// partsOf spreads those who are bound to a role over as many bindings as it takes: one as a rule. Which one a user is in depends on
// their name alone, and on the number of parts, which is a power of two. The first parts come last: whoever moves when there are
// more parts is added where they go to before they are taken from where they were.
func partsOf(role access.CompiledRole, subjects func(user string) []rbacv1.Subject) []bindingPart {
	count := 1
	for count*maxUsers < len(role.Users) {
		count *= 2
	}
	parts := make([]bindingPart, count)
	for i := range parts {
		parts[i].name = role.Name
		if at := count - 1 - i; at > 0 {
			// No address has this character, so that no other role has the name.
			parts[i].name = fmt.Sprintf("%s#%d", role.Name, at+1)
		}
	}
	first := &parts[count-1]
	if role.Everyone {
		first.subjects = append(first.subjects, rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: access.UsersGroup})
	}
	for _, user := range role.Users {
		part := &parts[count-1-spread(user, count)]
		part.subjects = append(part.subjects, subjects(user)...)
	}
	return parts
}

// spread is the part that a user is in, of so many.
func spread(user string, count int) int {
	if count == 1 {
		return 0
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(user)) // it cannot fail
	return int(hash.Sum32() % uint32(count))
}
