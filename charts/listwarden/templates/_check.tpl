{{/* What values.schema.json cannot say: values that contradict each other. */}}
{{- define "listwarden.check" -}}
{{- $values := .Values -}}
{{- $config := include "listwarden.read" (dict "where" "config" "text" $values.config) | fromJson -}}
{{- $of := dict "root" . "config" $config -}}
{{- range list "clinics_dir" "secrets_dir" }}
  {{- if hasKey $config . }}
    {{- fail (printf "config: leave out %s, which the chart sets" .) }}
  {{- end }}
{{- end }}
{{- range $key, $value := dict "listen" "serve.port" "admin_listen" "serve.admin" "metrics_listen" "metrics" }}
  {{- if hasKey (dig "serve" dict $config) $key }}
    {{- fail (printf "config: leave out [serve] %s, which the chart sets by %s" $key $value) }}
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
{{- include "listwarden.checkEnv" . }}
{{- include "listwarden.checkSecrets" . }}
{{- include "listwarden.checkRegister" $of }}
{{- include "listwarden.checkOutside" . }}
{{- include "listwarden.checkAdmin" $of }}
{{- if $values.networkPolicy.enabled }}
  {{- include "listwarden.checkEgress" $of }}
{{- end }}
{{- if $values.persistence.enabled }}
  {{- include "listwarden.checkSqlite" $of }}
{{- else }}
  {{- include "listwarden.checkNoSqlite" $of }}
{{- end }}
{{- end -}}

{{/* A text of TOML, read; call with (dict "where" PATH "text" TEXT), and take what comes by fromJson. */}}
{{- define "listwarden.read" -}}
{{- $read := fromToml .text -}}
{{- with $read.Error }}{{ fail (printf "%s cannot be read: %s" $.where .) }}{{ end -}}
{{- toJson $read -}}
{{- end -}}

{{/* Of two variables of one name Kubernetes may keep either. */}}
{{- define "listwarden.checkEnv" -}}
{{- $set := dict "LISTWARDEN_CONFIG" "config" "LISTWARDEN_LOG" "log.filter" "LISTWARDEN_LOG_FORMAT" "log.format" "LISTWARDEN_METRICS_LISTEN" "metrics" "LISTWARDEN_PUSHGATEWAY" "metrics.pushgateway" "LISTWARDEN_REGISTER" "register" "OTEL_EXPORTER_OTLP_ENDPOINT" "otlp.endpoint" "OTEL_RESOURCE_ATTRIBUTES" "otlp.attributes" -}}
{{- range .Values.extraEnv }}
  {{- if hasKey $set .name }}
    {{- fail (printf "extraEnv: %s is set by %s" .name (get $set .name)) }}
  {{- end }}
  {{- $_ := set $set .name "extraEnv too" }}
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

{{- define "listwarden.checkRegister" -}}
{{- $values := .root.Values -}}
{{- $register := $values.register -}}
{{- $claim := $register.existingClaim -}}
{{- if and $claim (not $register.enabled) }}
  {{- fail "register.existingClaim: it is used only with register.enabled" }}
{{- end }}
{{- if and $register.enabled (dig "store" "register" "" .config) }}
  {{- fail "config: leave out [store] register, which the chart sets by register.enabled" }}
{{- end }}
{{- if and $register.enabled (not $claim) (not $values.persistence.enabled) (ne $register.accessMode "ReadWriteMany") }}
  {{- fail (printf "register.accessMode: with %s the pods of serve and of runs, on several nodes, would wait for each other. Use ReadWriteMany" $register.accessMode) }}
{{- end }}
{{- if and $claim $values.persistence.enabled (eq $claim (include "listwarden.dataClaim" .root)) }}
  {{- fail "register.existingClaim: it is the store's own, and would be put back together with it. Give the register another" }}
{{- end }}
{{- end -}}

{{- define "listwarden.checkOutside" -}}
{{- $values := .Values -}}
{{- $ports := dict (toString $values.serve.port) "serve.port" -}}
{{- range $where, $of := dict "serve.admin" $values.serve.admin "metrics" $values.metrics }}
  {{- if $of.enabled }}
    {{- if hasKey $ports (toString $of.port) }}
      {{- fail (printf "%s.port is %s too: give it a port of its own, which is not shown to the world" $where (get $ports (toString $of.port))) }}
    {{- end }}
    {{- $_ := set $ports (toString $of.port) (printf "%s.port" $where) }}
  {{- end }}
{{- end }}
{{- if and $values.metrics.serviceMonitor.enabled (not (and $values.metrics.enabled $values.serve.enabled)) }}
  {{- fail "metrics.serviceMonitor.enabled: there is nothing to read without metrics.enabled and serve.enabled" }}
{{- end }}
{{- include "listwarden.checkWays" (dict "of" $values "where" "" "behind" "serve.enabled" "there" $values.serve.enabled "host" "the host of [serve] public_url") }}
{{- end -}}

{{/* Ways in, by Ingress and by Gateway; call with what checkOutside and checkAdmin say. */}}
{{- define "listwarden.checkWays" -}}
{{- range list "ingress" "httpRoute" }}
  {{- if and (index $.of . "enabled") (not $.there) }}
    {{- fail (printf "%s%s.enabled: there is nothing behind it while %s is false" $.where . $.behind) }}
  {{- end }}
{{- end }}
{{- if and .of.ingress.enabled (not .of.ingress.host) }}
  {{- fail (printf "%singress.host: name %s" .where .host) }}
{{- end }}
{{- if and .of.httpRoute.enabled (not (and .of.httpRoute.hostnames .of.httpRoute.parentRefs)) }}
  {{- fail (printf "%shttpRoute.hostnames and %shttpRoute.parentRefs: name %s, and the Gateway" .where .where .host) }}
{{- end }}
{{- end -}}

{{/* The page for admins never shares a host with what the world may reach. */}}
{{- define "listwarden.checkAdmin" -}}
{{- $values := .root.Values -}}
{{- $admin := $values.serve.admin -}}
{{- $hosts := include "listwarden.hosts" $admin | fromJsonArray -}}
{{- if and $admin.enabled (not $values.serve.enabled) }}
  {{- fail "serve.admin.enabled: nothing serves it while serve.enabled is false" }}
{{- end }}
{{- include "listwarden.checkWays" (dict "of" $admin "where" "serve.admin." "behind" "serve.admin.enabled" "there" $admin.enabled "host" "a host that only admins reach") }}
{{- if and $hosts $values.networkPolicy.enabled (not $admin.from) }}
  {{- fail "serve.admin.from: the network policy lets nobody in. Name who brings admins' requests, such as the namespace of the ingress controller" }}
{{- end }}
{{- $outside := include "listwarden.hosts" $values | fromJsonArray -}}
{{- with dig "serve" "public_url" "" .config }}{{ $outside = append $outside (urlParse .).hostname }}{{ end }}
{{- range $host := $hosts }}
  {{- range $outside }}
    {{- if include "listwarden.meets" (list $host .) }}
      {{- fail (printf "serve.admin: its host %s is that of webhooks (%s), which the world may reach: give the admin page another" $host .) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $page := (urlParse (dig "serve" "oidc" "page_url" "" .config)).hostname -}}
{{- if and $hosts $page }}
  {{- $met := "" -}}
  {{- range $hosts }}{{ $met = print $met (include "listwarden.meets" (list . $page)) }}{{ end }}
  {{- if not $met }}
    {{- fail (printf "config: page_url in [serve.oidc] has the host %s, and serve.admin has %s: people would not come back from signing in" $page (join ", " $hosts)) }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The hosts that an Ingress and an HTTPRoute have, as JSON; call with what both stand in. */}}
{{- define "listwarden.hosts" -}}
{{- $hosts := list -}}
{{- if .ingress.enabled }}{{ $hosts = append $hosts .ingress.host }}{{ end -}}
{{- if .httpRoute.enabled }}{{ $hosts = concat $hosts .httpRoute.hostnames }}{{ end -}}
{{- toJson $hosts -}}
{{- end -}}

{{/* Says "yes" where two hosts, either of which may begin with `*.`, have one in common. */}}
{{- define "listwarden.meets" -}}
{{- $one := lower (index . 0) -}}
{{- $other := lower (index . 1) -}}
{{- if or (eq $one $other) (and (hasPrefix "*." $one) (hasSuffix (trimPrefix "*" $one) $other)) (and (hasPrefix "*." $other) (hasSuffix (trimPrefix "*" $other) $one)) }}yes{{ end -}}
{{- end -}}

{{/* What is asked of the world must get out. */}}
{{- define "listwarden.checkEgress" -}}
{{- $ports := dict -}}
{{- with dig "notify" "smtp" dict .config }}
  {{- if ne (dig "tls" "starttls" .) "none" }}
    {{- $_ := set $ports "config has [notify.smtp]" (dig "port" (ternary 465 587 (eq (dig "tls" "" .) "wrapped")) . | toString) }}
  {{- end }}
{{- end }}
{{- with dig "notify" "webhook" "url" "" .config }}{{ $_ := set $ports "config has [notify.webhook]" (include "listwarden.port" .) }}{{ end }}
{{- with dig "serve" "oidc" "issuer" "" .config }}{{ $_ := set $ports "config has [serve.oidc]" (include "listwarden.port" .) }}{{ end }}
{{- with .root.Values.metrics.pushgateway }}{{ $_ := set $ports "there is metrics.pushgateway" (include "listwarden.port" .) }}{{ end }}
{{- range $what, $port := $ports }}
  {{- if not (include "listwarden.isLetOut" (dict "policy" $.root.Values.networkPolicy "port" (int $port))) }}
    {{- fail (printf "networkPolicy: %s, at port %s, which no pod may reach. Write it into %s" $what $port (ternary "mailPorts" (printf "extraEgress: [{ ports: [{ port: %s, protocol: TCP }] }]" $port) (hasSuffix "smtp]" $what))) }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Says "yes" where pods may reach a port, somewhere; call with (dict "policy" VALUES "port" NUMBER). */}}
{{- define "listwarden.isLetOut" -}}
{{- $port := .port -}}
{{- range concat (list 443) .policy.databasePorts .policy.mailPorts }}{{ if eq (int .) $port }}yes{{ end }}{{ end -}}
{{- range .policy.extraEgress -}}
  {{- if not .ports }}yes{{ end -}}
  {{- range .ports -}}
    {{- $to := .endPort | default .port -}}
    {{- if and (eq (.protocol | default "TCP") "TCP") (or (not .port) (and (le (int .port) $port) (ge (int $to) $port))) }}yes{{ end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "listwarden.checkSqlite" -}}
{{- $values := .root.Values -}}
{{- range list "reconcile" "sweep" }}
  {{- if index $values . "enabled" }}
    {{- fail (printf "%s.enabled: a CronJob cannot have SQLite's volume while serve has it. Set it to false and write schedule = \"*/15 * * * *\" under [serve] in config; or use PostgreSQL" .) }}
  {{- end }}
{{- end }}
{{- if or $values.serve.autoscaling.enabled (ne (int $values.serve.replicas) 1) }}
  {{- fail "serve.replicas: SQLite is one pod's. Set it to 1, without serve.autoscaling; or use PostgreSQL" }}
{{- end }}
{{- if not (dig "serve" "schedule" "" .config) }}
  {{- fail "config: with SQLite serve reconciles by itself, and has no schedule. Write schedule = \"*/15 * * * *\" under [serve]" }}
{{- end }}
{{- end -}}

{{- define "listwarden.checkNoSqlite" -}}
{{- $gone := "%s names an SQLite file, which would be gone with its pod. Set persistence.enabled, or use PostgreSQL" -}}
{{- if hasPrefix "sqlite:" (dig "store" "url" "" .config) }}
  {{- fail (printf $gone "config") }}
{{- end }}
{{- range $clinic, $text := .root.Values.clinics }}
  {{- $where := printf "clinics.%s" $clinic }}
  {{- $read := include "listwarden.read" (dict "where" $where "text" $text) | fromJson }}
  {{- if hasPrefix "sqlite:" (dig "source" "url" "" $read) }}
    {{- fail (printf $gone $where) }}
  {{- end }}
{{- end }}
{{- if not (or (dig "store" "url" "" .config) (dig "store" "url_secret" "" .config)) }}
  {{- fail "config: names no store. Write url_secret = \"store_url\" under [store], or set persistence.enabled for SQLite" }}
{{- end }}
{{- end -}}
