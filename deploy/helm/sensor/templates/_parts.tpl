{{- define "sensor.selector" -}}
app.kubernetes.io/name: {{ .Release.Name }}
{{- end }}

{{- define "sensor.labels" -}}
{{ include "sensor.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* The service account has the role of that name. */ -}}
{{- define "sensor.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .name }}
  labels: {{- include "sensor.labels" .top | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .top.Release.Name }}
    namespace: {{ .top.Release.Namespace }}
{{- end }}

{{- /* Probes go where the metrics are: with monitoring to the pod's address, which is the node's. */ -}}
{{- define "sensor.host" -}}
{{- if not .Values.monitoring.enabled -}}
host: 127.0.0.1
{{- end -}}
{{- end }}
