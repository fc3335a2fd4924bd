export interface TestKafkaCluster {
  readonly brokers: readonly string[]
  /** SIGKILL; its data stays. */
  kill(id: number): Promise<void>
  /** Resolves when it listens. */
  start(id: number): Promise<void>
  stop(): Promise<void>
}

export declare const startKafkaCluster: (count?: number) => Promise<TestKafkaCluster>
