{{/* What values.schema.json cannot say: values that contradict each other. */}}
{{- define "listwarden.check" -}}
{{- $values := .Values -}}
{{- range list "clinics_dir" "secrets_dir" "listen" }}
  {{- if regexMatch (printf "(?m)^\\s*%s\\s*=" .) $values.config }}
    {{- fail (printf "config: leave out %s, which the chart sets" .) }}
  {{- end }}
{{- end }}
{{- range $where := list "commonLabels" "podLabels" }}
  {{- range $label, $_ := index $values $where }}
    {{- if regexMatch "^(app\\.kubernetes\\.io|helm\\.sh)/" $label }}
      {{- fail (printf "%s.%s is the chart's own" $where $label) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if not (or $values.clinics $values.clinicsFrom) }}
  {{- fail "clinics: there is none; write one clinic's file here, or name ConfigMaps of yours in clinicsFrom" }}
{{- end }}
{{- if not (or $values.reconcile.enabled $values.serve.enabled) }}
  {{- fail "reconcile.enabled and serve.enabled are both false: nothing would run" }}
{{- end }}
{{- include "listwarden.checkSecrets" . }}
{{- include "listwarden.checkOutside" . }}
{{- if $values.persistence.enabled }}
  {{- include "listwarden.checkSqlite" . }}
{{- else }}
  {{- include "listwarden.checkNoSqlite" . }}
{{- end }}
{{- end -}}

{{- define "listwarden.checkSecrets" -}}
{{- $secrets := .Values.secrets -}}
{{- if and $secrets.volume (or $secrets.deployment $secrets.clinics) }}
  {{- fail "secrets.volume stands beside secrets.deployment or secrets.clinics: keep the volume, or the Secrets" }}
{{- end }}
{{- if not (or $secrets.volume $secrets.deployment) }}
  {{- fail "secrets.deployment: name the Secret that holds master_key, or give secrets.volume" }}
{{- end }}
{{- range $clinic, $_ := $secrets.clinics }}
  {{- if not (or $.Values.clinicsFrom (hasKey $.Values.clinics $clinic)) }}
    {{- fail (printf "secrets.clinics.%s: there is no such clinic in clinics" $clinic) }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "listwarden.checkOutside" -}}
{{- $values := .Values -}}
{{- if and $values.metrics.enabled (eq (int $values.metrics.port) (int $values.serve.port)) }}
  {{- fail "metrics.port is serve.port: give figures a port of their own, which is not shown to the world" }}
{{- end }}
{{- if and $values.metrics.serviceMonitor.enabled (not (and $values.metrics.enabled $values.serve.enabled)) }}
  {{- fail "metrics.serviceMonitor.enabled: there is nothing to read without metrics.enabled and serve.enabled" }}
{{- end }}
{{- range list "ingress" "httpRoute" }}
  {{- if and (index $values . "enabled") (not $values.serve.enabled) }}
    {{- fail (printf "%s.enabled: there is nothing behind it while serve.enabled is false" .) }}
  {{- end }}
{{- end }}
{{- if and $values.ingress.enabled (not $values.ingress.host) }}
  {{- fail "ingress.host: name the host of [serve] public_url" }}
{{- end }}
{{- if and $values.httpRoute.enabled (not (and $values.httpRoute.hostnames $values.httpRoute.parentRefs)) }}
  {{- fail "httpRoute.hostnames and httpRoute.parentRefs: name the host of [serve] public_url, and the Gateway" }}
{{- end }}
{{- if and $values.networkPolicy.enabled (not $values.networkPolicy.mailPorts) (regexMatch "(?m)^\\s*\\[notify\\.smtp\\]" $values.config) }}
  {{- fail "networkPolicy.mailPorts: config has [notify.smtp], and no mail would get out. Write the port of its server, such as [587]" }}
{{- end }}
{{- end -}}

{{- define "listwarden.checkSqlite" -}}
{{- $values := .Values -}}
{{- range list "reconcile" "sweep" }}
  {{- if index $values . "enabled" }}
    {{- fail (printf "%s.enabled: a CronJob cannot have SQLite's volume while serve has it. Set it to false and write schedule = \"*/15 * * * *\" under [serve] in config; or use PostgreSQL" .) }}
  {{- end }}
{{- end }}
{{- if or $values.serve.autoscaling.enabled (ne (int $values.serve.replicas) 1) }}
  {{- fail "serve.replicas: SQLite is one pod's. Set it to 1, without serve.autoscaling; or use PostgreSQL" }}
{{- end }}
{{- if not (regexMatch "(?m)^\\s*schedule\\s*=" $values.config) }}
  {{- fail "config: with SQLite serve reconciles by itself, and has no schedule. Write schedule = \"*/15 * * * *\" under [serve]" }}
{{- end }}
{{- end -}}

{{- define "listwarden.checkNoSqlite" -}}
{{- range $clinic, $text := merge (dict "" .Values.config) .Values.clinics }}
  {{- if regexMatch "(?m)^\\s*url\\s*=\\s*[\"']sqlite:" $text }}
    {{- fail (printf "%s names an SQLite file, which would be gone with its pod. Set persistence.enabled, or use PostgreSQL" (ternary (printf "clinics.%s" $clinic) "config" (ne $clinic ""))) }}
  {{- end }}
{{- end }}
{{- if not (regexMatch "(?m)^\\s*url(_secret)?\\s*=" .Values.config) }}
  {{- fail "config: names no store. Write url_secret = \"store_url\" under [store], or set persistence.enabled for SQLite" }}
{{- end }}
{{- end -}}
