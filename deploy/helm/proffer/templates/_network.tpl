{{/* Egress to the resolver of names. */}}
{{- define "proffer.egressDns" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{- end -}}

{{- define "proffer.egressDatabase" -}}
- ports:
    - { protocol: TCP, port: {{ .Values.networkPolicy.database.port }} }
  {{- with .Values.networkPolicy.database.peers }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "proffer.egressCollector" -}}
- ports:
    - { protocol: TCP, port: {{ regexFind "[0-9]+/?$" .Values.telemetry.otlpEndpoint | trimSuffix "/" }} }
  {{- with .Values.networkPolicy.collector.peers }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
