package scheduler

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/internal/scheduling"
)

const (
	// pastName is the ConfigMap in which the scheduler keeps past use, for the next one to go on with.
	pastName = "soma-fair-share"
	pastKey  = "past.json.gz"
	// pastPause is the time between two writes of it: no more is lost than what was used since the last.
	pastPause = time.Minute
	// maxPast bounds how many quotas and users are kept, those with most; maxPastBytes what is read.
	maxPast      = 20_000
	maxPastBytes = 16 << 20
)

// past is past use as it was at a time.
type past struct {
	Time metav1.MicroTime  `json:"time"`
	Used []scheduling.Past `json:"used"`
}

// keptPast is what is kept of past use. Losing it makes nobody wait who should start, and some go before others who should not.
type keptPast struct {
	held *corev1.ConfigMap
	// read reports that the engine was told of what the predecessor kept, written is when it was kept last.
	read    bool
	written time.Time
}

// recall tells the engine, before its first decisions, what its predecessor kept.
func (r *Reconciler) recall(ctx context.Context) error {
	if r.past.read {
		return nil
	}
	found := &corev1.ConfigMap{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: pastName}, found)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read past use: %w", err)
	}
	r.past.read = true
	if err != nil {
		return nil
	}
	r.past.held = found
	kept, err := unpack(found.BinaryData[pastKey])
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "past use is forgotten, as what was kept of it cannot be read", "configmap", pastName)
		return nil
	}
	r.engine.SetPast(kept.Used, kept.Time.Time)
	return nil
}

// remember keeps past use, now and then.
func (r *Reconciler) remember(ctx context.Context, now time.Time) {
	if now.Sub(r.past.written) < pastPause {
		return
	}
	r.past.written = now
	used := r.engine.Past()
	if len(used) == 0 && r.past.held == nil {
		return
	}
	if err := r.keep(ctx, past{metav1.NewMicroTime(now), most(used)}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "past use is not kept: it is tried again in a minute", "configmap", pastName)
	}
}

func (r *Reconciler) keep(ctx context.Context, p past) error {
	packed, err := pack(p)
	if err != nil {
		return err
	}
	changed := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: pastName}}
	if r.past.held != nil {
		changed = r.past.held.DeepCopy()
	}
	changed.BinaryData = map[string][]byte{pastKey: packed}
	if r.past.held == nil {
		err = r.Client.Create(ctx, changed, client.DisableReadYourWritesConsistency)
	} else {
		err = r.Client.Update(ctx, changed, client.DisableReadYourWritesConsistency)
	}
	switch {
	case err == nil:
		r.past.held = changed
	case apierrors.IsConflict(err), apierrors.IsNotFound(err), apierrors.IsAlreadyExists(err):
		// Somebody else has written it or taken it away: what is there then is written upon.
		found := &corev1.ConfigMap{}
		if r.past.held = nil; r.Live.Get(ctx, client.ObjectKeyFromObject(changed), found) == nil {
			r.past.held = found
		}
	}
	return err
}

// most are those who used most, as many as are kept.
func most(used []scheduling.Past) []scheduling.Past {
	if len(used) <= maxPast {
		return used
	}
	sorted := slices.Clone(used)
	slices.SortStableFunc(sorted, func(a, b scheduling.Past) int { return b.Compare(a) })
	return sorted[:maxPast]
}

func pack(p past) ([]byte, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	err := errors.Join(json.NewEncoder(z).Encode(p), z.Close())
	return packed.Bytes(), err
}

func unpack(packed []byte) (p past, err error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return p, err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxPastBytes))
	if err != nil {
		return p, err
	}
	err = json.Unmarshal(text, &p)
	return p, err
}
