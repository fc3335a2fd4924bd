export const kustomize: () => string[] | undefined
export const kubeconform: () => string | undefined
export const collectorVersion: () => string | undefined
export const collector: () => string
export const promtool: () => string | undefined
export const schemaLocations: () => string[]
export const MISSING: string
