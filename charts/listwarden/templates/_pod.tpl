{{/* A container of the program; call with (dict "root" $ "component" "reconcile" "args" (list …)), and
"hook" true where no volume of the release is there yet. */}}
{{- define "listwarden.container" -}}
{{- $values := .root.Values -}}
{{- $tag := printf ":%s" ($values.image.tag | default .root.Chart.AppVersion) -}}
{{- if $values.image.digest }}{{ $tag = printf "@%s" $values.image.digest }}{{ end -}}
name: {{ .component }}
image: {{ printf "%s%s" $values.image.repository $tag | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
args: {{- toYaml .args | nindent 2 }}
env:
  - { name: LISTWARDEN_CONFIG, value: /config/listwarden.toml }
  - { name: LISTWARDEN_LOG, value: {{ $values.log.filter | quote }} }
  - { name: LISTWARDEN_LOG_FORMAT, value: {{ $values.log.format }} }
  {{- if and (eq .component "serve") $values.metrics.enabled }}
  - { name: LISTWARDEN_METRICS_LISTEN, value: {{ printf "%s:%d" $values.serve.address (int $values.metrics.port) | quote }} }
  {{- end }}
  {{- if and (has .component (list "reconcile" "sweep")) $values.metrics.pushgateway }}
  - { name: LISTWARDEN_PUSHGATEWAY, value: {{ $values.metrics.pushgateway | quote }} }
  {{- end }}
  {{- if and (not .hook) $values.register.enabled }}
  - { name: LISTWARDEN_REGISTER, value: /register }
  {{- end }}
  {{- with $values.otlp.endpoint }}
  - { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }} }
  {{- $attributes := list (printf "k8s.namespace.name=%s" $.root.Release.Namespace) }}
  {{- range $name, $value := $values.otlp.attributes }}{{ $attributes = append $attributes (printf "%s=%s" $name $value) }}{{ end }}
  - { name: OTEL_RESOURCE_ATTRIBUTES, value: {{ join "," $attributes | quote }} }
  {{- end }}
  {{- with $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources: {{- toYaml .resources | nindent 2 }}
volumeMounts:
  - { name: config, mountPath: /config, readOnly: true }
  {{- if $values.clinics }}
  - { name: clinics, mountPath: /clinics/values, readOnly: true }
  {{- end }}
  {{- range $index, $name := $values.clinicsFrom }}
  - { name: clinics-{{ $index }}, mountPath: /clinics/{{ $name }}, readOnly: true }
  {{- end }}
  - { name: secrets, mountPath: /secrets, readOnly: true }
  {{- if $values.persistence.enabled }}
  - { name: data, mountPath: /data }
  - { name: tmp, mountPath: /tmp }
  {{- end }}
  {{- if and (not .hook) $values.register.enabled }}
  - { name: register, mountPath: /register }
  {{- end }}
  {{- with $values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* What all pods have in common; call with (dict "root" $ "component" "serve" "files" NAME "account" NAME). */}}
{{- define "listwarden.pod" -}}
{{- $values := .root.Values -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
volumes: {{- include "listwarden.volumes" . | nindent 2 }}
{{- end -}}

{{- define "listwarden.volumes" -}}
{{- $values := .root.Values -}}
- name: config
  configMap: { name: {{ .files }} }
{{- if $values.clinics }}
- name: clinics
  configMap: { name: {{ .files }}-clinics }
{{- end }}
{{- range $index, $name := $values.clinicsFrom }}
- name: clinics-{{ $index }}
  configMap: { name: {{ $name }} }
{{- end }}
- name: secrets
{{- if $values.secrets.volume }}
  {{- toYaml $values.secrets.volume | nindent 2 }}
{{- else }}
  projected:
    defaultMode: 0440
    sources:
      - secret: { name: {{ $values.secrets.deployment }} }
      {{- if ne .component "migrate" }}
      {{- range $clinic, $of := $values.secrets.clinics }}
      - secret:
          name: {{ $of.secret }}
          items:
            {{- range $of.keys }}
            - { key: {{ . }}, path: {{ $clinic }}/{{ . }} }
            {{- end }}
      {{- end }}
      {{- end }}
{{- end }}
{{- if $values.persistence.enabled }}
- name: data
  persistentVolumeClaim:
    claimName: {{ include "listwarden.dataClaim" .root }}
- name: tmp
  emptyDir: { sizeLimit: 1Gi }
{{- end }}
{{- if and (ne .component "migrate") $values.register.enabled }}
- name: register
  persistentVolumeClaim:
    claimName: {{ include "listwarden.registerClaim" .root }}
{{- end }}
{{- with $values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Makes the tables before a pod's start, where no hook does; call as above. */}}
{{- define "listwarden.init" -}}
{{- if eq (include "listwarden.migrate" .root) "init" }}
initContainers:
  - {{- include "listwarden.container" (dict "root" .root "component" "migrate" "args" (list "migrate") "resources" .resources) | nindent 4 }}
{{- end }}
{{- end -}}
