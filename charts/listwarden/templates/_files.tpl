{{/* listwarden.toml: the chart's own keys stand before the first section. */}}
{{- define "listwarden.toml" -}}
{{- $folders := list -}}
{{- if .Values.clinics }}{{ $folders = append $folders "/clinics/values" }}{{ end -}}
{{- range .Values.clinicsFrom }}{{ $folders = append $folders (printf "/clinics/%s" .) }}{{ end -}}
clinics_dir = {{ toJson $folders }}
secrets_dir = "/secrets"
{{ .Values.config }}
{{- end -}}

{{/* The configuration as ConfigMaps; call with (dict "root" $ "name" NAME "annotations" TEXT). */}}
{{- define "listwarden.configMaps" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "listwarden.labels" (dict "root" .root) | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
data:
  listwarden.toml: | {{- include "listwarden.toml" .root | nindent 4 }}
{{- if .root.Values.clinics }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}-clinics
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "listwarden.labels" (dict "root" .root) | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
data:
  {{- range $clinic, $text := .root.Values.clinics }}
  {{ $clinic }}.toml: | {{- $text | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}
