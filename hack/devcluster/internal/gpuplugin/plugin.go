// Package gpuplugin advertises GPUs that are not there to a kubelet, by the kubelet's own device plugin API, so that
// requests for GPUs are scheduled, admitted and counted on a real node just as they are with NVIDIA's plugin.
package gpuplugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	deviceplugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

// Resource is the name under which the GPUs are requested.
const Resource = "nvidia.com/gpu"

const (
	socketName = "soma-gpu.sock"
	// registerTimeout is how long the kubelet may take to answer.
	registerTimeout = 10 * time.Second
)

// Run advertises count GPUs to the kubelet whose device plugin folder is dir, and does so again each time that kubelet
// starts anew, until the context ends.
func Run(ctx context.Context, dir string, count int) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	defer func() { _ = watcher.Close() }()
	if err := watcher.Add(dir); err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	kubelet := filepath.Join(dir, filepath.Base(deviceplugin.KubeletSocket))
	var server *server
	if _, err := os.Stat(kubelet); err == nil {
		if server, err = serve(ctx, dir, kubelet, count); err != nil {
			slog.Info("the kubelet does not answer; waiting for it to start", "error", err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			server.stop()
			return nil
		case event := <-watcher.Events:
			if event.Name != kubelet || !event.Has(fsnotify.Create) {
				continue
			}
			// A kubelet that starts removes every plugin's socket: serve on a new one.
			server.stop()
			if server, err = serve(ctx, dir, kubelet, count); err != nil {
				return fmt.Errorf("register with the kubelet that just started: %w", err)
			}
		case err := <-watcher.Errors:
			return fmt.Errorf("watch %s: %w", dir, err)
		}
	}
}

type server struct {
	deviceplugin.UnimplementedDevicePluginServer
	grpc    *grpc.Server
	devices []*deviceplugin.Device
}

func devices(count int) []*deviceplugin.Device {
	list := make([]*deviceplugin.Device, count)
	for i := range list {
		list[i] = &deviceplugin.Device{ID: fmt.Sprintf("GPU-%d", i), Health: deviceplugin.Healthy}
	}
	return list
}

// serve starts a server and registers it; it stops what it started when that fails.
func serve(ctx context.Context, dir, kubelet string, count int) (*server, error) {
	path := filepath.Join(dir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	s := &server{grpc: grpc.NewServer(), devices: devices(count)}
	deviceplugin.RegisterDevicePluginServer(s.grpc, s)
	go func() {
		if err := s.grpc.Serve(listener); err != nil {
			slog.Error("the device plugin's server ended", "error", err)
		}
	}()
	if err := register(ctx, kubelet); err != nil {
		s.stop()
		return nil, err
	}
	slog.Info("registered", "resource", Resource, "devices", count)
	return s, nil
}

func register(ctx context.Context, kubelet string) error {
	conn, err := grpc.NewClient("unix://"+kubelet, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("dial the kubelet at %s: %w", kubelet, err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, registerTimeout)
	defer cancel()
	_, err = deviceplugin.NewRegistrationClient(conn).Register(ctx, &deviceplugin.RegisterRequest{
		Version: deviceplugin.Version, Endpoint: socketName, ResourceName: Resource,
		// A kubelet makes its socket shortly before it listens there.
	}, grpc.WaitForReady(true))
	return err
}

func (s *server) stop() {
	if s != nil {
		s.grpc.Stop()
	}
}

// GetDevicePluginOptions says that nothing beyond ListAndWatch and Allocate is wanted.
func (s *server) GetDevicePluginOptions(context.Context, *deviceplugin.Empty) (*deviceplugin.DevicePluginOptions, error) {
	return &deviceplugin.DevicePluginOptions{}, nil
}

// ListAndWatch tells the devices once: they neither come nor go while this program runs.
func (s *server) ListAndWatch(_ *deviceplugin.Empty, stream deviceplugin.DevicePlugin_ListAndWatchServer) error {
	if err := stream.Send(&deviceplugin.ListAndWatchResponse{Devices: s.devices}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// Allocate names a container's GPUs in its environment, as NVIDIA's plugin does.
func (s *server) Allocate(_ context.Context, request *deviceplugin.AllocateRequest) (*deviceplugin.AllocateResponse, error) {
	response := &deviceplugin.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		response.ContainerResponses = append(response.ContainerResponses, &deviceplugin.ContainerAllocateResponse{
			Envs: map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(container.DevicesIds, ",")},
		})
	}
	return response, nil
}
