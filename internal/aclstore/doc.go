// Package aclstore keeps in Redis what each user may do, for the services that are asked very often and far from the API of
// Kubernetes: files, buckets, images. Redis is never an authority: an entry counts only if it carries the right code, is
// about the one it is asked for and was signed moments ago; whoever finds none that counts asks where rights are decided.
//
// The manager that leads writes (Writer); services read (Reader). Only users who were asked about lately have an entry. It
// is signed anew every few seconds, and written at once when rights change, so that whatever happens to Redis, emptied,
// replaced, or played back from before, what was taken from somebody is gone within Validity.
package aclstore
