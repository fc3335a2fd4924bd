// Writes what kubeconform reads of CustomResourceDefinitions, without their descriptions: node test/k8s/schemas/make.mjs FILE...
// Of Strimzi 1.2.0 (its crd-generator's `Kafka` and `KafkaNodePool`) and External Secrets (config/crds/bases), whose newest served version it takes.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

/** As the API server does by its strict checks, an unknown field is refused, but where a schema says that it keeps them. */
const strict = (schema) => {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(strict)
  const { description: _, properties, format: __, ...rest } = schema
  const own = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, strict(value)]))
  if (schema['x-kubernetes-int-or-string']) return { ...own, type: ['string', 'integer'] }
  if (typeof properties !== 'object') return own
  const fields = Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, strict(value)]))
  const open = schema.additionalProperties !== undefined || schema['x-kubernetes-preserve-unknown-fields']
  return { ...own, properties: fields, ...(open ? {} : { additionalProperties: false }) }
}

for (const file of process.argv.slice(2)) {
  const { spec } = parse(readFileSync(file, 'utf8'))
  const { name, schema } = spec.versions.find(({ storage }) => storage)
  const kind = `${spec.names.kind}-${spec.group.split('.')[0]}-${name}`.toLowerCase()
  writeFileSync(join(import.meta.dirname, `${kind}.json`), `${JSON.stringify(strict(schema.openAPIV3Schema))}\n`)
}
