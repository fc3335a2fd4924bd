/** Where k8s/overlays/local puts everything. */
export const NAMESPACE: string
