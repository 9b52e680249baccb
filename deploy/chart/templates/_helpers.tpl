{{- define "leaf.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "leaf.selector" -}}
app.kubernetes.io/name: leaf-ensemble
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "leaf.labels" -}}
{{ include "leaf.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "leaf.secret" -}}
{{- required "set `secret` to the name of an existing Secret with the database's address and the other secrets: docs/kubernetes.md lists its keys" .Values.secret -}}
{{- end }}

{{/* An image of our own: dict "root" . "name" "gateway" */}}
{{- define "leaf.image" -}}
{{- $registry := required "set `images.registry` to where `docker compose build` has pushed leaf-gateway, leaf-bot and leaf-plans" .root.Values.images.registry -}}
{{- printf "%s/leaf-%s:%s" (trimSuffix "/" $registry) .name .root.Values.images.tag -}}
{{- end }}

{{/* Somebody else's image: repository, tag, digest */}}
{{- define "leaf.pinned" -}}
{{- printf "%s:%s" .repository .tag -}}{{- with .digest }}{{ printf "@%s" . }}{{ end -}}
{{- end }}

{{/* dict "name" VARIABLE "root" . "key" KEY, and "optional" true */}}
{{- define "leaf.fromSecret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ include "leaf.secret" .root }}
      key: {{ .key }}
      {{- if .optional }}
      optional: true
      {{- end }}
{{- end }}

{{- define "leaf.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "leaf.ours" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What every process of the gateway's program is told: serving, tools, migrations and Triton's companion */}}
{{- define "leaf.gateway.environment" -}}
{{ include "leaf.fromSecret" (dict "name" "GATEWAY_DATABASE_URL" "root" . "key" "gateway-database-url") }}
{{ include "leaf.fromSecret" (dict "name" "GATEWAY_SECRET" "root" . "key" "gateway-secret") }}
{{ include "leaf.fromSecret" (dict "name" "TRITON_CONTROL_SECRET" "root" . "key" "triton-control-secret") }}
{{ include "leaf.fromSecret" (dict "name" "GATEWAY_REDIS_URL" "root" . "key" "redis-url" "optional" true) }}
- name: GATEWAY_TRITON_CONTROL_HEADER
  value: admin-key:$(TRITON_CONTROL_SECRET)
{{- end }}

{{/* Plain settings, a user's own over ours: dict "ours" DICT "theirs" DICT */}}
{{- define "leaf.settings" -}}
{{- range $key, $value := merge (deepCopy .theirs) .ours }}
- name: {{ $key }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{- define "leaf.triton.address" -}}
{{ include "leaf.name" . }}-triton:8001
{{- end }}

{{/* Whether the repository is a claim or an object store: one of them */}}
{{- define "leaf.models.check" -}}
{{- if and .Values.models.claim .Values.models.objectStore.path -}}
{{- fail "set `models.claim` or `models.objectStore.path`, not both" -}}
{{- end -}}
{{- if not (or .Values.models.claim .Values.models.objectStore.path) -}}
{{- fail "set `models.claim` to a PersistentVolumeClaim with the model repository, or `models.objectStore.path` to where it is copied from" -}}
{{- end -}}
{{- if and .Values.models.objectStore.path (not .Values.models.objectStore.secret) -}}
{{- fail "set `models.objectStore.secret` to a Secret with rclone's settings (RCLONE_CONFIG_...)" -}}
{{- end -}}
{{- end }}

{{- define "leaf.peer" -}}
- podSelector:
    matchLabels:
      {{- include "leaf.selector" . | nindent 6 }}
{{- end }}

{{- define "leaf.stores" -}}
- ports:
    {{- range .Values.networkPolicy.storePorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.stores }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end }}
