{{- define "cubby.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "cubby.selectorLabels" -}}
app.kubernetes.io/name: cubby
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: cache
{{- end -}}

{{- /* Of everything that is not the pods': the same without the component. */ -}}
{{- define "cubby.commonLabels" -}}
app.kubernetes.io/part-of: cubby
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "cubby.labels" -}}
{{ include "cubby.selectorLabels" . }}
{{ include "cubby.commonLabels" . }}
{{- end -}}

{{- define "cubby.metricsLabels" -}}
app.kubernetes.io/name: cubby
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: metrics
{{- end -}}

{{- define "cubby.serviceAccount" -}}
{{- default (include "cubby.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "cubby.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "cubby.shared" -}}
{{- if ne .Values.engine.type "memory" }}true{{ end -}}
{{- end -}}

{{- define "cubby.scaled" -}}
{{- if and (include "cubby.shared" .) .Values.autoscaling.enabled }}true{{ end -}}
{{- end -}}

{{- define "cubby.memory" -}}
{{- default (ternary "384Mi" "1Gi" (eq (include "cubby.shared" .) "true")) .Values.resources.memory -}}
{{- end -}}

{{- /* A number of bytes: of a quantity of Kubernetes' (Mi, M), or of a size of the service's (MiB). */ -}}
{{- define "cubby.bytes" -}}
{{- $units := dict "" 1 "K" 1024 "KiB" 1024 "MiB" 1048576 "GiB" 1073741824 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "M" 1000000 "G" 1000000000 "T" 1000000000000 -}}
{{- mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[A-Za-z]*$" .) | int64) -}}
{{- end -}}

{{- define "cubby.milliCpu" -}}
{{- if hasSuffix "m" . }}{{ trimSuffix "m" . }}{{ else }}{{ mulf (float64 .) 1000 | int64 }}{{ end -}}
{{- end -}}

{{- /* What the limit of memory must hold, see values.yaml; a size of the service's has powers of 1024 without iB, too. */ -}}
{{- define "cubby.memoryNeeded" -}}
{{- $buffered := include "cubby.bytes" (regexReplaceAll "([KMG])$" .Values.http.maxBufferedBytes "${1}iB") | int64 -}}
{{- $need := add (mul 2 $buffered) (mul .Values.http.maxConnections 10240) 67108864 -}}
{{- if not (include "cubby.shared" .) -}}
{{- $entries := include "cubby.bytes" (regexReplaceAll "([KMG])$" .Values.engine.memory.maxBytes "${1}iB") | int64 -}}
{{- $need = div (mul 10 (add $need $entries)) 9 -}}
{{- end -}}
{{- $need -}}
{{- end -}}

{{- define "cubby.tokensSecret" -}}
{{- default (printf "%s-tokens" (include "cubby.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{- /* The Secret with the engine's password, or nothing. */ -}}
{{- define "cubby.passwordSecret" -}}
{{- if eq .Values.engine.type "redis" }}{{ .Values.engine.redis.passwordSecret.name }}{{ end -}}
{{- if eq .Values.engine.type "memcached" }}{{ .Values.engine.memcached.passwordSecret.name }}{{ end -}}
{{- end -}}

{{- define "cubby.redisTlsSecret" -}}
{{- if and (eq .Values.engine.type "redis") .Values.engine.redis.tls.enabled }}{{ .Values.engine.redis.tls.secret }}{{ end -}}
{{- end -}}

{{- /* Where the kubelet asks. It has no client certificate: where one is asked for, it takes the admin port. */ -}}
{{- define "cubby.probe" -}}
{{- if and .Values.tls.enabled .Values.tls.clientCaKey -}}
port: metrics
{{- else -}}
port: http
{{- if .Values.tls.enabled }}
scheme: HTTPS
{{- end }}
{{- end -}}
{{- end -}}

{{- define "cubby.tested" -}}
{{- if not (and .Values.tls.enabled .Values.tls.clientCaKey) }}true{{ end -}}
{{- end -}}

{{- define "cubby.engineSettings" -}}
{{- with .Values.engine }}
{{- if eq .type "memory" }}
MEMORY_MAX_BYTES: {{ .memory.maxBytes | quote }}
{{- else if eq .type "redis" }}
{{- with .redis }}
REDIS_MODE: {{ .mode }}
{{- if eq .mode "standalone" }}
REDIS_HOST: {{ required "engine.redis.host is needed with mode standalone" .host | quote }}
REDIS_PORT: {{ .port | quote }}
REDIS_DB: {{ .database | quote }}
{{- else if eq .mode "sentinel" }}
REDIS_SENTINELS: {{ .sentinels | join "," | required "engine.redis.sentinels are needed with mode sentinel" | quote }}
REDIS_MASTER_NAME: {{ .masterName | quote }}
REDIS_DB: {{ .database | quote }}
{{- else }}
REDIS_NODES: {{ .nodes | join "," | required "engine.redis.nodes are needed with mode cluster" | quote }}
{{- end }}
{{- if .username }}
REDIS_USERNAME: {{ .username | quote }}
{{- end }}
{{- if .passwordSecret.name }}
REDIS_PASSWORD_FILE: /etc/cubby/credentials/{{ .passwordSecret.key }}
{{- if .sentinelPasswordKey }}
REDIS_SENTINEL_PASSWORD_FILE: /etc/cubby/credentials/{{ .sentinelPasswordKey }}
{{- end }}
{{- end }}
{{- if .allowedAddresses }}
REDIS_ALLOWED_ADDRESSES: {{ .allowedAddresses | join "," | quote }}
{{- end }}
REDIS_WAIT_REPLICAS: {{ .waitReplicas | quote }}
{{- if .tls.enabled }}
REDIS_TLS: "on"
{{- if .tls.secret }}
REDIS_TLS_CA: /etc/cubby/redis-tls/ca.crt
{{- if .tls.clientCertificate }}
REDIS_TLS_CERT: /etc/cubby/redis-tls/tls.crt
REDIS_TLS_KEY: /etc/cubby/redis-tls/tls.key
{{- end }}
{{- end }}
{{- if .tls.serverName }}
REDIS_TLS_SERVER_NAME: {{ .tls.serverName | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- else }}
{{- with .memcached }}
MEMCACHED_SERVERS: {{ .servers | join "," | required "engine.memcached.servers are needed" | quote }}
MEMCACHED_DEAD_SERVER: {{ .deadServer }}
{{- if .username }}
MEMCACHED_USERNAME: {{ .username | quote }}
{{- end }}
{{- if .passwordSecret.name }}
MEMCACHED_PASSWORD_FILE: /etc/cubby/credentials/{{ .passwordSecret.key }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* All settings, as a map in YAML; extraSettings over the rest. */ -}}
{{- define "cubby.settings" -}}
{{- $settings := dict
  "HTTP_HOST" "0.0.0.0"
  "HTTP_PORT" "8080"
  "ADMIN_HOST" "0.0.0.0"
  "ADMIN_PORT" (.Values.metrics.port | toString)
  "HTTP_MAX_CONNECTIONS" (.Values.http.maxConnections | int64 | toString)
  "HTTP_MAX_IN_FLIGHT" (.Values.http.maxInFlight | int64 | toString)
  "HTTP_MAX_BUFFERED_BYTES" .Values.http.maxBufferedBytes
  "HTTP_REQUEST_TIMEOUT_MS" (.Values.http.requestTimeoutMs | int64 | toString)
  "HTTP_DRAIN_DELAY_MS" (mul .Values.drain.delaySeconds 1000 | toString)
  "HTTP_DRAIN_TIMEOUT_MS" (mul .Values.drain.timeoutSeconds 1000 | toString)
  "CACHE_ENGINE" .Values.engine.type
  "CACHE_KEY_PREFIX" .Values.cache.keyPrefix
  "CACHE_DEFAULT_TTL" .Values.cache.defaultTtl
  "CACHE_MAX_VALUE_BYTES" .Values.cache.maxValueBytes
  "CACHE_DEADLINE_MS" (.Values.cache.deadlineMs | int64 | toString)
  "CACHE_NAMESPACES_FILE" "/etc/cubby/policies/namespaces.json"
  "LOG_LEVEL" .Values.log.level
  "LOG_ACCESS" .Values.log.access
  "LOG_ACCESS_RATE" (.Values.log.accessRate | int64 | toString)
-}}
{{- if .Values.auth.enabled -}}
{{- $_ := set $settings "CACHE_TOKENS_FILE" (printf "/etc/cubby/tokens/%s" .Values.auth.key) -}}
{{- else -}}
{{- $_ := set $settings "CACHE_AUTH" "off" -}}
{{- end -}}
{{- if .Values.tls.enabled -}}
{{- $_ := set $settings "HTTP_TLS_CERT" "/etc/cubby/tls/tls.crt" -}}
{{- $_ := set $settings "HTTP_TLS_KEY" "/etc/cubby/tls/tls.key" -}}
{{- if .Values.tls.clientCaKey -}}
{{- $_ := set $settings "HTTP_TLS_CLIENT_CA" (printf "/etc/cubby/tls/%s" .Values.tls.clientCaKey) -}}
{{- end -}}
{{- end -}}
{{- $engine := include "cubby.engineSettings" . | fromYaml -}}
{{- $extra := dict -}}
{{- range $name, $value := .Values.extraSettings -}}
{{- $_ := set $extra $name ($value | toString) -}}
{{- end -}}
{{- mergeOverwrite $settings $engine $extra | toYaml -}}
{{- end -}}
