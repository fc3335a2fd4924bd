import { STORES } from './checks.js'
import { named, type KubeObject } from './objects.js'

const PAUSED = 'autoscaling.keda.sh/paused-replicas'

/** While stores are restored nobody writes to them, and what is restored comes from the archive of before and is archived elsewhere. */
export const restoresInPeace = (objects: readonly KubeObject[]): readonly string[] => [
  ...STORES.filter((app) => named(objects, 'Deployment').find(({ metadata }) => metadata.name === app)?.spec?.replicas !== 0).map(
    (app) => `${app} runs`,
  ),
  ...named(objects, 'ScaledObject')
    .filter(({ metadata }) => metadata.annotations?.[PAUSED] !== '0')
    .map(({ spec }) => `${spec?.scaleTargetRef?.name} is scaled up again`),
  ...['CronJob', 'ScheduledBackup']
    .flatMap((kind) => named(objects, kind))
    .filter(({ spec }) => spec?.suspend !== true)
    .map(({ kind, metadata }) => `${kind} ${metadata.name} runs`),
  ...named(objects, 'Job').map(({ metadata }) => `Job ${metadata.name} runs`),
  ...named(objects, 'Cluster').flatMap(({ metadata, spec }) => {
    const { initdb, recovery } = spec?.bootstrap ?? {}
    const from = spec?.externalClusters?.find(({ name }) => name === recovery?.source)?.barmanObjectStore
    const to = spec?.backup?.barmanObjectStore
    return [
      ...(initdb || !recovery?.recoveryTarget?.targetTime ? [`${metadata.name} is made anew, and not of a point in time`] : []),
      ...(from && from.destinationPath === to?.destinationPath && from.endpointURL === to?.endpointURL
        ? []
        : [`${metadata.name} is restored from where nothing was backed up`]),
      ...((from?.serverName ?? recovery?.source) === (to?.serverName ?? metadata.name)
        ? [`${metadata.name} is archived into what it is restored from`]
        : []),
    ]
  }),
]
