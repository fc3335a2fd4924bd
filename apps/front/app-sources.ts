import type { OpenAPIObject } from '@nestjs/swagger'
import { boundedText } from '#kernel'
import { unavailable } from '#platform'
import type { AppStatus, FrontSources } from './front.js'
import { mergeOpenApi } from './open-api.js'
import { allowedMethods } from './router.js'
import type { AppName } from './routing-table.js'
import { mergeExpositions } from './exposition.js'

/** Longer than the apps' own readiness checks may take (1 s each, all at once). */
const ASK_MS = 3_000
/** A new version of an app shows in the merged document after this. */
const DOCUMENT_KEPT_MS = 30_000
const MAX_BYTES = 16 * 1_024 * 1_024

export type AppUrls = Readonly<Record<AppName, string>>

/** What the apps say of themselves over HTTP, put together. With several replicas of an app it is one of them that is asked. */
export const appSources = (urls: AppUrls, now: () => number = Date.now): FrontSources => {
  const apps = Object.entries(urls) as readonly [AppName, string][]
  const all = <T>(ask: (url: string) => Promise<T>): Promise<readonly (readonly [AppName, T])[]> =>
    Promise.all(apps.map(async ([name, url]) => [name, await ask(url)] as const))
  let document: { readonly merged: object; readonly until: number } | undefined
  return {
    allowedMethods,
    openApi: async () => {
      if (document && now() < document.until) return document.merged
      const documents = new Map(await all(async (url) => JSON.parse(await read(`${url}/openapi.json`)) as OpenAPIObject))
      document = { merged: mergeOpenApi(documents), until: now() + DOCUMENT_KEPT_MS }
      return document.merged
    },
    readiness: async () => new Map(await all((url) => readinessOf(url))),
    // Of those that answer: whoever scrapes this asks whether it does.
    metrics: async () => mergeExpositions((await all((url) => read(`${url}/metrics`).catch(() => ''))).map(([, text]) => text)),
  }
}

const UNREACHABLE: AppStatus = { status: 'unavailable', checks: { reachable: 'failing' } }

const readinessOf = async (url: string): Promise<AppStatus> => {
  try {
    const { checks, status } = JSON.parse(await text(await get(`${url}/health/ready`))) as Partial<AppStatus>
    return checks && (status === 'ok' || status === 'unavailable') ? { status, checks } : UNREACHABLE
  } catch {
    return UNREACHABLE
  }
}

const read = async (url: string): Promise<string> => {
  const answer = await get(url).catch((error: unknown) => {
    throw unavailable(error)
  })
  if (!answer.ok) throw unavailable(new Error(`${url} answered ${answer.status}`))
  return text(answer)
}

const get = (url: string): Promise<Response> => fetch(url, { signal: AbortSignal.timeout(ASK_MS), redirect: 'error' })

const text = (answer: Response): Promise<string> =>
  boundedText(answer.body, MAX_BYTES).catch((error: unknown) => {
    throw unavailable(error)
  })
