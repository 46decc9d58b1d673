{{/*
A way in for one Service, by Ingress and by Gateway; call with (dict "root" $ "name" NAME "component"
"serve" "of" VALUES "path" "/webhooks" "port" "webhooks" "number" 80).
*/}}
{{- define "listwarden.ways" -}}
{{- if .of.ingress.enabled }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "listwarden.labels" . | nindent 4 }}
  {{- with .of.ingress.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .of.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with .of.ingress.tlsSecret }}
  tls:
    - hosts: [{{ $.of.ingress.host | quote }}]
      secretName: {{ . }}
  {{- end }}
  rules:
    - host: {{ .of.ingress.host | quote }}
      http:
        paths:
          - path: {{ .path }}
            pathType: Prefix
            backend:
              service:
                name: {{ .name }}
                port: { name: {{ .port }} }
{{- end }}
{{- if .of.httpRoute.enabled }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "listwarden.labels" . | nindent 4 }}
  {{- with .of.httpRoute.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  parentRefs: {{- toYaml .of.httpRoute.parentRefs | nindent 4 }}
  hostnames: {{- toYaml .of.httpRoute.hostnames | nindent 4 }}
  rules:
    - matches:
        - path: { type: PathPrefix, value: {{ .path }} }
      backendRefs:
        - { name: {{ .name }}, port: {{ .number }} }
{{- end }}
{{- end -}}
