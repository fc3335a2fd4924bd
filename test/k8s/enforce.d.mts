export interface Way {
  readonly from: string
  readonly to: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
}
export const enforce: (pods: readonly string[], ways: readonly Way[]) => void
export const release: () => void
