package workload

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// masterPort is the port at which frameworks that start in a group meet; it is theirs to open.
const masterPort = "29500"

// environment is what Soma tells the container, and then what the job says, so that the job may decide otherwise where
// the name is not Soma's own.
func environment(job *platformv1.Job, rank int32) []corev1.EnvVar {
	names := peers(job)
	env := []corev1.EnvVar{
		{Name: "SOMA_JOB_NAME", Value: job.Name},
		{Name: "SOMA_JOB_UID", Value: string(job.UID)},
		{Name: "SOMA_PROJECT", Value: job.Namespace},
		{Name: "SOMA_ATTEMPT", Value: strconv.Itoa(int(job.Status.Reservation.Attempt))},
		{Name: "SOMA_RANK", Value: strconv.Itoa(int(rank))},
		{Name: "SOMA_REPLICAS", Value: strconv.Itoa(len(names))},
		{Name: "SOMA_PEERS", Value: strings.Join(names, ",")},
		{Name: "SOMA_MASTER_ADDR", Value: names[0]},
	}
	given := map[string]bool{}
	for _, variable := range job.Spec.Env {
		given[variable.Name] = true
	}
	defaults := []corev1.EnvVar{{Name: "HOME", Value: "/tmp"}}
	if len(names) > 1 {
		defaults = append(defaults,
			corev1.EnvVar{Name: "RANK", Value: strconv.Itoa(int(rank))},
			corev1.EnvVar{Name: "WORLD_SIZE", Value: strconv.Itoa(len(names))},
			corev1.EnvVar{Name: "MASTER_ADDR", Value: names[0]},
			corev1.EnvVar{Name: "MASTER_PORT", Value: masterPort},
		)
	}
	for _, variable := range defaults {
		if !given[variable.Name] {
			env = append(env, variable)
		}
	}
	for _, variable := range job.Spec.Env {
		env = append(env, own(variable))
	}
	return env
}

func own(variable platformv1.EnvVar) corev1.EnvVar {
	if variable.Secret == nil {
		return corev1.EnvVar{Name: variable.Name, Value: literal(variable.Value)}
	}
	return corev1.EnvVar{Name: variable.Name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: variable.Secret.Name},
		Key:                  variable.Secret.Key,
	}}}
}

// literal keeps the kubelet from expanding $(NAME) in a value: what a person writes is what the job sees.
func literal(value string) string { return strings.ReplaceAll(value, "$(", "$$(") }

// volumes are the sources of the job's volumes, and /dev/shm where it has a size of its own. Otherwise the runtime's own of
// 64Mi serves: a pod without volumes starts a third of a second sooner, as the kubelet does not wait for mounts.
func volumes(job *platformv1.Job) []corev1.Volume {
	var all []corev1.Volume
	if size := job.Status.Reservation.Replica.SHM; size != nil {
		all = append(all, corev1.Volume{Name: "shm", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
			Medium: corev1.StorageMediumMemory, SizeLimit: size,
		}}})
	}
	for i, v := range job.Spec.Volumes {
		volume := corev1.Volume{Name: volumeName(i)}
		switch {
		case v.Secret != nil:
			volume.Secret = &corev1.SecretVolumeSource{SecretName: v.Secret.Name, DefaultMode: ptr.To(int32(0o440))}
			if v.Secret.Key != "" {
				// Asked for by name, a key that does not exist keeps the container from its start.
				volume.Secret.Items = []corev1.KeyToPath{{Key: v.Secret.Key, Path: v.Secret.Key}}
			}
		case v.Scratch != nil:
			volume.EmptyDir = &corev1.EmptyDirVolumeSource{SizeLimit: &v.Scratch.Size}
		}
		all = append(all, volume)
	}
	return all
}

func mounts(job *platformv1.Job) []corev1.VolumeMount {
	var all []corev1.VolumeMount
	if job.Status.Reservation.Replica.SHM != nil {
		all = append(all, corev1.VolumeMount{Name: "shm", MountPath: "/dev/shm"})
	}
	for i, v := range job.Spec.Volumes {
		mount := corev1.VolumeMount{Name: volumeName(i), MountPath: v.MountPath, ReadOnly: v.Secret != nil}
		if v.Secret != nil && v.Secret.Key != "" {
			mount.SubPath = v.Secret.Key
		}
		all = append(all, mount)
	}
	return all
}

func volumeName(i int) string { return fmt.Sprintf("volume-%d", i) }

// SecretNames are the project's secrets that a job uses, each once.
func SecretNames(spec *platformv1.JobSpec) []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	add(spec.ImagePullSecret)
	for _, variable := range spec.Env {
		if variable.Secret != nil {
			add(variable.Secret.Name)
		}
	}
	for _, volume := range spec.Volumes {
		if volume.Secret != nil {
			add(volume.Secret.Name)
		}
	}
	return names
}
