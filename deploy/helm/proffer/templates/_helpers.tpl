{{/* Names. */}}
{{- define "proffer.name" -}}
{{- if contains "proffer" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-proffer" (.Release.Name | trunc 32 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "proffer.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "proffer.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "proffer.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/*
The processes of the mode: program, ports, prefix of the settings, and the services it calls.
`door` is the process that callers reach.
*/}}
{{- define "proffer.components" -}}
{{- if eq .Values.mode "all-in-one" }}
proffer: { command: [proffer, serve], port: 8080, admin: 9090, prefix: PROFFER, door: true, store: true, calls: [] }
{{- else }}
gateway: { command: [gateway], port: 8080, admin: 9090, prefix: PROFFER_GATEWAY, door: true, store: false, calls: [catalog, policy, decision, experiment] }
catalog: { command: [catalog-svc], port: 7101, admin: 8101, prefix: PROFFER_CATALOG, door: false, store: true, calls: [policy] }
policy: { command: [policy-svc], port: 7102, admin: 8102, prefix: PROFFER_POLICY, door: false, store: true, calls: [catalog] }
decision: { command: [decision-svc], port: 7103, admin: 8103, prefix: PROFFER_DECISION, door: false, store: true, calls: [catalog, policy, experiment] }
experiment: { command: [experiment-svc], port: 7104, admin: 8104, prefix: PROFFER_EXPERIMENT, door: false, store: true, calls: [policy, decision] }
{{- end }}
{{- end -}}

{{/* The settings of one process: the defaults, and what `services.<name>` overrides. */}}
{{- define "proffer.settings" -}}
{{- $own := index .root.Values.services .name | default dict -}}
{{- mergeOverwrite (deepCopy .root.Values.defaults) $own | toYaml -}}
{{- end -}}

{{/* Labels of every resource. With `name`: of one process. */}}
{{- define "proffer.selector" -}}
app.kubernetes.io/name: proffer
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .name }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "proffer.labels" -}}
{{ include "proffer.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Name, namespace, labels and annotations of a resource. Takes root, name, as, annotations. */}}
{{- define "proffer.metadata" -}}
name: {{ .as }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "proffer.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Restricted pods: https://kubernetes.io/docs/concepts/security/pod-security-standards/ */}}
{{- define "proffer.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "proffer.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Where a process finds the URL of its database. */}}
{{- define "proffer.databaseEnv" -}}
- { name: PROFFER_DATABASE_URL_FILE, value: /etc/proffer/database/url }
{{- end -}}

{{/* The volume of the URL. Takes secret and key. */}}
{{- define "proffer.databaseVolume" -}}
- name: database-url
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 288 # 0440
    items: [{ key: {{ .key }}, path: url }]
{{- end -}}
