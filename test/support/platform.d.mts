export interface Platform {
  readonly baseUrl: string
  readonly pid: number
  readonly home: string
  readonly output: string[]
  stop(): Promise<void>
  kill(): Promise<void>
}
export const newHome: () => Promise<string>
export const removeHome: (home: string) => Promise<void>
export const startPlatform: (options: { home: string; port?: number; env?: NodeJS.ProcessEnv }) => Promise<Platform>
