{{/* Short enough that every suffix, and what a CronJob adds, fits. */}}
{{- define "listwarden.name" -}}
{{- $name := .Release.Name -}}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end -}}
{{- .Values.fullnameOverride | default $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What never changes about a pod; call with (dict "root" $ "component" "serve"). */}}
{{- define "listwarden.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels of an object; call as above. */}}
{{- define "listwarden.labels" -}}
{{ include "listwarden.selector" . }}
app.kubernetes.io/part-of: listwarden
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of a pod: no version, so that a new chart restarts nothing by itself. */}}
{{- define "listwarden.podLabels" -}}
{{ include "listwarden.selector" . }}
app.kubernetes.io/part-of: listwarden
{{- with merge (dict) .root.Values.podLabels .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "listwarden.serviceAccount" -}}
{{- $made := .Values.serviceAccount.name | default (include "listwarden.name" .) -}}
{{- if .Values.serviceAccount.create }}{{ $made }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end -}}
{{- end -}}

{{/* The claim of SQLite's volume, and that of the register's. */}}
{{- define "listwarden.dataClaim" -}}
{{- .Values.persistence.existingClaim | default (include "listwarden.name" .) -}}
{{- end -}}
{{- define "listwarden.registerClaim" -}}
{{- .Values.register.existingClaim | default (printf "%s-register" (include "listwarden.name" .)) -}}
{{- end -}}

{{/* The port of a URL, its scheme's where it names none. */}}
{{- define "listwarden.port" -}}
{{- regexFind ":[0-9]+$" (urlParse .).host | trimPrefix ":" | default (ternary "443" "80" (hasPrefix "https:" (lower .))) -}}
{{- end -}}

{{/* How the tables are made: hook, init or never. */}}
{{- define "listwarden.migrate" -}}
{{- if and .Values.persistence.enabled (eq .Values.migrate.how "hook") }}init{{ else }}{{ .Values.migrate.how }}{{ end -}}
{{- end -}}
