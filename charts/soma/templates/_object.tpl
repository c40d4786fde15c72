{{/*
soma.object renders an object from files/ with the release's labels. Takes a dict of root and object.
*/}}
{{- define "soma.object" }}
{{- $labels := dict
  "app.kubernetes.io/name" "soma"
  "app.kubernetes.io/part-of" "soma"
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/instance" .root.Release.Name
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version) }}
{{- $_ := set .object.metadata "labels" (merge $labels (.object.metadata.labels | default dict)) }}
{{- $replaced := false }}
{{- if .root.Values.certManager.enabled }}
{{- /* cert-manager makes the secret, and tells the API server whom to trust. */}}
{{- $replaced = and (eq .object.kind "Secret") (eq .object.metadata.name "soma-serving-certs") }}
{{- if has .object.kind (list "MutatingWebhookConfiguration" "ValidatingWebhookConfiguration" "APIService") }}
{{- $inject := dict "cert-manager.io/inject-ca-from" (printf "%s/soma-serving-certs" .root.Release.Namespace) }}
{{- $_ = set .object.metadata "annotations" (merge $inject (.object.metadata.annotations | default dict)) }}
{{- end }}
{{- end }}
{{- if and (eq .object.kind "Secret") (eq .object.metadata.name "soma-audit") .root.Values.database.auditURL }}
{{- $_ = set .object "stringData" (dict "url" .root.Values.database.auditURL) }}
{{- end }}
{{- if not $replaced }}
---
{{ toYaml .object }}
{{- end }}
{{- end }}

{{/*
soma.files renders all objects of the files that a pattern matches, in the release's namespace. In their text, values take the
place of what they are the values of.
*/}}
{{- define "soma.files" }}
{{- $root := .root }}
{{- range $path, $_ := $root.Files.Glob .pattern }}
{{- $text := $root.Files.Get $path | replace "namespace: soma-system" (printf "namespace: %s" $root.Release.Namespace) | replace ".soma-system.svc" (printf ".%s.svc" $root.Release.Namespace) }}
{{- range $name, $value := $.values }}{{ $text = replace $name $value $text }}{{ end }}
{{- range splitList "\n---\n" (trimPrefix "---\n" $text) }}
{{- include "soma.object" (dict "root" $root "object" (fromYaml .)) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
soma.roles renders the roles that come with Soma. Helm knows no kind that comes with the same release, so that with the kinds they
are made after all else, as a hook, and marked so that the next release has them as its own. They stay where Soma goes.
*/}}
{{- define "soma.roles" }}
{{- $root := . }}
{{- $annotations := dict
  "helm.sh/resource-policy" "keep"
  "meta.helm.sh/release-name" .Release.Name
  "meta.helm.sh/release-namespace" .Release.Namespace }}
{{- if not (.Capabilities.APIVersions.Has "platform.soma.dev/v1alpha1/Role") }}
{{- $_ := set $annotations "helm.sh/hook" "post-install,post-upgrade" }}
{{- end }}
{{- range splitList "\n---\n" (.Files.Get "files/access/roles.yaml") }}
{{- $object := fromYaml . }}
{{- $_ := set $object.metadata "annotations" $annotations }}
{{- include "soma.object" (dict "root" $root "object" $object) }}
{{- end }}
{{- end }}

{{/*
soma.deployment renders the Deployment of a component with its values.
*/}}
{{- define "soma.deployment" }}
{{- $values := get .root.Values .component }}
{{- $object := .root.Files.Get (printf "files/%s/deployment.yaml" .component) | fromYaml }}
{{- $_ := set $object.metadata "namespace" .root.Release.Namespace }}
{{- $_ = set $object.spec "replicas" $values.replicas }}
{{- $pod := $object.spec.template.spec }}
{{- $container := first $pod.containers }}
{{- $_ = set $container "image" $values.image }}
{{- with $values.imagePullPolicy }}{{ $_ = set $container "imagePullPolicy" . }}{{ end }}
{{- if and (eq .component "manager") .root.Values.certManager.enabled }}{{ $_ = set $container "args" (append $container.args "--cert-rotation=false") }}{{ end }}
{{- if and (eq .component "manager") .root.Values.gateway.enabled }}{{ $_ = set $container "args" (append $container.args (printf "--serving-name=%s" (get (urlParse .root.Values.gateway.config.externalURL) "hostname"))) }}{{ end }}
{{- with $values.extraArgs }}{{ $_ = set $container "args" (concat $container.args .) }}{{ end }}
{{- with $values.resources }}{{ $_ = set $container "resources" . }}{{ end }}
{{- with $values.nodeSelector }}{{ $_ = set $pod "nodeSelector" . }}{{ end }}
{{- with $values.tolerations }}{{ $_ = set $pod "tolerations" . }}{{ end }}
{{- with .root.Values.imagePullSecrets }}{{ $_ = set $pod "imagePullSecrets" . }}{{ end }}
{{- include "soma.object" (dict "root" .root "object" $object) }}
{{- end }}
