export interface TestRedis {
  readonly url: string
  readonly port: number
  readonly pid: number
  stop(): Promise<void>
}

export declare const redisMissing: () => string | undefined
export declare const startRedis: (options?: { readonly port?: number }) => Promise<TestRedis>
