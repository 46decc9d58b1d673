{{/*
A CronJob of runs; call with
(dict "root" $ "component" "reconcile" "args" (list …) "schedule" … "deadline" …).
*/}}
{{- define "listwarden.cronJob" -}}
{{- $name := include "listwarden.name" .root -}}
{{- $reconcile := .root.Values.reconcile -}}
{{- $shared := gt (int $reconcile.parallelism) 1 -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ $name }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "listwarden.labels" . | nindent 4 }}
spec:
  schedule: {{ .schedule | quote }}
  timeZone: {{ $reconcile.timeZone | quote }}
  suspend: {{ $reconcile.suspend }}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: {{ $reconcile.startingDeadlineSeconds }}
  successfulJobsHistoryLimit: {{ $reconcile.successfulJobsHistoryLimit }}
  failedJobsHistoryLimit: {{ $reconcile.failedJobsHistoryLimit }}
  jobTemplate:
    metadata:
      labels: {{- include "listwarden.podLabels" . | nindent 8 }}
    spec:
      activeDeadlineSeconds: {{ .deadline }}
      {{- if $shared }}
      completionMode: Indexed
      completions: {{ $reconcile.parallelism }}
      parallelism: {{ $reconcile.parallelism }}
      backoffLimitPerIndex: {{ $reconcile.backoffLimit }}
      # Who ends with 0 has seen every list in step, so nothing is left for the others.
      successPolicy:
        rules:
          - succeededCount: 1
      {{- else }}
      backoffLimit: {{ $reconcile.backoffLimit }}
      {{- end }}
      # What cannot be read (2), waits for an admin (3) or for its next try (4), no second pod mends.
      podFailurePolicy:
        rules:
          - action: {{ ternary "FailIndex" "FailJob" $shared }}
            onExitCodes:
              containerName: {{ .component }}
              operator: In
              values: [2, 3, 4]
          # A drained node is no failure.
          - action: Ignore
            onPodConditions:
              - { type: DisruptionTarget, status: "True" }
      template:
        metadata:
          labels: {{- include "listwarden.podLabels" . | nindent 12 }}
          {{- with .root.Values.podAnnotations }}
          annotations: {{- toYaml . | nindent 12 }}
          {{- end }}
        spec:
          restartPolicy: Never
          # Long enough for the operation under way.
          terminationGracePeriodSeconds: 60
          {{- include "listwarden.pod" (dict "root" .root "component" .component "files" $name "account" (include "listwarden.serviceAccount" .root)) | nindent 10 }}
          {{- include "listwarden.init" (dict "root" .root "resources" $reconcile.resources) | nindent 10 }}
          containers:
            - {{- include "listwarden.container" (dict "root" .root "component" .component "args" .args "resources" $reconcile.resources) | nindent 14 }}
{{- end -}}
