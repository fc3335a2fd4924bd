export interface TestKafka {
  readonly brokers: readonly string[]
  /** The broker's own port. */
  readonly listens: number
  /** Of the first process. */
  readonly pid: number
  /** SIGKILL, and another process on the same data. Resolves when that listens. */
  crash(): Promise<void>
  /** With `secured`: where it listens by TLS, and as whom. `otherCaFile` is of nobody. */
  readonly secured?: {
    readonly brokers: string
    readonly caFile: string
    readonly otherCaFile: string
    readonly username: string
    readonly password: string
  }
  stop(): Promise<void>
}

interface Jest {
  readonly describe: unknown
  readonly it: unknown
  readonly beforeAll: unknown
  readonly afterAll: unknown
}

export declare const skippedWithout: (jest: Pick<Jest, 'describe' | 'it'>, name: string, missing: string | undefined) => boolean
export declare const failWithout: (missing: string | undefined) => void
export declare const kafkaMissing: () => string | undefined
export declare const freePort: () => Promise<number>
export declare const startKafka: (options?: {
  readonly port?: number
  readonly advertised?: number
  readonly data?: string
  readonly secured?: boolean
}) => Promise<TestKafka>
export declare const withKafka: (jest: Jest, declare: (kafka: () => TestKafka) => void, options?: { readonly secured?: boolean }) => void
