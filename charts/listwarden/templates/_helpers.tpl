{{/* Short enough that `-reconcile` and a CronJob's own suffix fit. */}}
{{- define "listwarden.name" -}}
{{- $name := .Release.Name -}}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "listwarden.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* What listwarden.toml, the clinics and their places are. */}}
{{- define "listwarden.files" -}}
listwarden.toml: |
  clinics_dir = "clinics"
  secrets_dir = "/secrets"
{{ .Values.config | trimSuffix "\n" | indent 2 }}
{{- range $clinic, $text := .Values.clinics }}
{{ $clinic }}.toml: |
{{ $text | trimSuffix "\n" | indent 2 }}
{{- end }}
{{- end -}}

{{/* One command of the program; call with (dict "root" $ "command" "reconcile"). */}}
{{- define "listwarden.container" -}}
{{- $values := .root.Values -}}
- name: {{ .command }}
  image: "{{ $values.image.repository }}:{{ $values.image.tag | default .root.Chart.AppVersion }}"
  imagePullPolicy: {{ $values.image.pullPolicy }}
  args: [--config, /config/listwarden.toml, --log-format, json, {{ .command }}]
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
  resources: {{- toYaml $values.resources | nindent 4 }}
  volumeMounts:
    - { name: config, mountPath: /config, readOnly: true }
    - { name: secrets, mountPath: /secrets, readOnly: true }
    {{- if $values.persistence.enabled }}
    - { name: data, mountPath: /data }
    {{- end }}
{{- end -}}

{{/* The pod of both jobs; call with (dict "root" $ "command" "reconcile" "files" NAME "account" NAME). */}}
{{- define "listwarden.pod" -}}
{{- $values := .root.Values -}}
restartPolicy: Never
{{- with .account }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: false
enableServiceLinks: false
# Long enough for the operation under way when a run is ended.
terminationGracePeriodSeconds: 60
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.persistence.enabled }}
# The volume is not there yet when hooks run, so SQLite is migrated here.
initContainers: {{- include "listwarden.container" (dict "root" .root "command" "migrate") | nindent 2 }}
{{- end }}
containers: {{- include "listwarden.container" . | nindent 2 }}
volumes:
  - name: config
    configMap:
      name: {{ .files }}
      items:
        - { key: listwarden.toml, path: listwarden.toml }
        {{- range $clinic, $_ := $values.clinics }}
        - { key: {{ $clinic }}.toml, path: clinics/{{ $clinic }}.toml }
        {{- end }}
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        - secret:
            name: {{ $values.secrets.deployment }}
        {{- range $clinic, $of := $values.secrets.clinics }}
        - secret:
            name: {{ $of.secret }}
            items:
              {{- range $of.keys }}
              - { key: {{ . }}, path: {{ $clinic }}/{{ . }} }
              {{- end }}
        {{- end }}
  {{- if $values.persistence.enabled }}
  - name: data
    persistentVolumeClaim:
      claimName: {{ include "listwarden.name" .root }}
  {{- end }}
{{- end -}}
