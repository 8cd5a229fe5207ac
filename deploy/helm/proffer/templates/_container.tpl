{{/* Settings that several processes share. Takes root and component. */}}
{{- define "proffer.commonEnv" -}}
{{- $v := .root.Values -}}
- { name: PROFFER_LOG, value: {{ quote $v.telemetry.log }} }
- { name: PROFFER_LOG_JSON, value: {{ quote $v.telemetry.logJson }} }
- { name: PROFFER_DRAIN_DELAY_MS, value: "{{ mul $v.drain.delaySeconds 1000 }}" }
{{- with $v.telemetry.otlpEndpoint }}
- { name: PROFFER_OTLP_ENDPOINT, value: {{ quote . }} }
- { name: PROFFER_OTLP_PROTOCOL, value: {{ $v.telemetry.otlpProtocol }} }
- { name: PROFFER_TRACE_RATIO, value: {{ quote $v.telemetry.traceRatio }} }
{{- end }}
{{- if .component.store }}
{{- if eq $v.store "sqlite" }}
- { name: PROFFER_DATA, value: /data }
{{- else }}
{{ include "proffer.databaseEnv" . }}
# `proffer migrate` has made the tables.
- { name: PROFFER_MIGRATE, value: {{ ternary "off" "on" $v.migrate.enabled | quote }} }
{{- end }}
{{- end }}
{{- if .component.door }}
- { name: PROFFER_INSECURE_NO_AUTH, value: {{ quote $v.insecureNoAuth }} }
# REST is refused under names that are not listed.
- name: PROFFER_ALLOWED_HOSTS
  value: {{ include "proffer.allowedHosts" .root }}
{{- with $v.gateway.allowedOrigins }}
- { name: PROFFER_ALLOWED_ORIGINS, value: {{ join "," . | quote }} }
{{- end }}
{{- with $v.gateway.maxInFlight }}
- { name: PROFFER_MAX_IN_FLIGHT, value: {{ quote . }} }
{{- end }}
{{- with $v.gateway.maxWaiting }}
- { name: PROFFER_MAX_WAITING, value: {{ quote . }} }
{{- end }}
{{- end }}
{{- end -}}

{{- define "proffer.door" -}}
{{- printf "%s-%s" (include "proffer.name" .) (ternary "proffer" "gateway" (eq .Values.mode "all-in-one")) -}}
{{- end -}}

{{- define "proffer.allowedHosts" -}}
{{- $name := include "proffer.door" . -}}
{{- $in := printf "%s.%s" $name .Release.Namespace -}}
{{- $own := list $name $in (printf "%s.svc" $in) (printf "%s.svc.cluster.local" $in) -}}
{{- join "," (concat $own .Values.gateway.allowedHosts) -}}
{{- end -}}

{{/*
Startup and liveness only say that the process answers: a store that is away must not restart it.
Readiness is the health service of gRPC; it fails as soon as the process is to stop.
*/}}
{{- define "proffer.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: admin }
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /livez, port: admin }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  grpc: { port: {{ .port }} }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}
