// Package access decides who may do what. From users, roles and grants it makes, for each user, a tree of rights by address;
// the tree answers whether an action is allowed, why, and what of a list may be seen, and it is compiled into the RBAC of
// Kubernetes. The package reads and writes nothing: who uses it brings the objects and the time.
//
// docs/access.md says what addresses and actions mean; docs/adr/0021-rights-by-address.md why they are as they are.
package access
