import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { stringify } from 'yaml'
import { failWithout, skippedWithout } from '../support/kafka.mjs'
import { CHECKS, collectorReadsTheApps, productionIsProduction, STORES } from './checks.js'
import { EDGES, ELSEWHERE } from './dependencies.js'
import { edgesElsewhere, openEdges } from './network.js'
import { workloadsOf, type KubeObject } from './objects.js'
import { planted } from './planted.js'
import { describeProduction } from './production.js'
import { render, type Rendered } from './render.js'
import { restoresInPeace } from './restore.js'
import { routesLeadToServices, waysIn } from './routes.js'
import { collectorVersion, kubeconform, kustomize, MISSING, promtool, schemaLocations } from './tools.mjs'

const root = join(import.meta.dirname, '../..')

const missing = kustomize() && kubeconform() && promtool() ? undefined : MISSING
const skipped = skippedWithout({ describe, it }, 'the manifests', missing)

type Pod = { spec: { template: { metadata: { labels: Record<string, string> }; spec: { containers: [{ [name: string]: unknown }] } } } }
const container = (workload: Pod) => workload.spec.template.spec.containers[0]

/** By the API's own schemas, unknown fields included. */
const judged = (yaml: string) => {
  const schemas = schemaLocations().flatMap((location) => ['-schema-location', location])
  const { status, stdout } = spawnSync(kubeconform()!, ['-strict', '-summary', ...schemas], {
    input: yaml,
    encoding: 'utf8',
    timeout: 120_000,
  })
  return [status, stdout]
}
const isValid = [0, expect.stringMatching(/Valid: [1-9]\d*, Invalid: 0, Errors: 0/)]

/** A component that no overlay has. */
const INGRESS = `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]
components: [../../components/ingress]
`

if (!skipped) {
  const rendered: Record<string, Rendered> = {}
  const objectsOf = (overlay: string): readonly KubeObject[] => rendered[overlay]?.objects ?? []
  beforeAll(() => {
    failWithout(missing)
    for (const overlay of ['local', 'production', 'restore', 'logs']) rendered[overlay] = render(overlay)
    rendered['ingress'] = render('ingress', INGRESS)
  }, 120_000)

  describe.each(['local', 'production'] as const)('k8s/overlays/%s', (overlay) => {
    it("is valid by the API's own schemas, unknown fields included", () => {
      expect(judged(rendered[overlay]!.yaml)).toEqual(isValid)
    }, 130_000)

    it.each(Object.entries(CHECKS))('%s', (_, check) => {
      expect(check(objectsOf(overlay))).toEqual([])
    })

    it('opens exactly the ways of the dependency table', () => {
      expect([...openEdges(objectsOf(overlay))].sort()).toEqual([...EDGES[overlay]].sort())
      expect([...edgesElsewhere(objectsOf(overlay))].sort()).toEqual([...ELSEWHERE[overlay]].sort())
    })
  })

  describe('production while it is restored', () => {
    const restore = () => objectsOf('restore')

    it('is valid, runs nothing that writes to a store, and makes the databases of a point in time from where they were backed up', () => {
      const own = new Set(['Cluster', 'ScaledObject', 'CronJob', 'ScheduledBackup', 'Deployment'])
      expect(
        judged(
          restore()
            .filter(({ kind }) => own.has(kind))
            .map((each) => stringify(each))
            .join('---\n'),
        ),
      ).toEqual(isValid)
      expect(restoresInPeace(restore())).toEqual([])
      expect(CHECKS['backupsAreInTheRegion']?.(restore())).toEqual([])
    }, 130_000)

    it('would not pass as production is, and archived into what it is restored from', () => {
      expect(restoresInPeace(objectsOf('production'))).toEqual(
        expect.arrayContaining([
          'wallet runs',
          'wallet is scaled up again',
          'CronJob checkpoint-wallet runs',
          'ScheduledBackup postgres runs',
          'Job migrate-wallet runs',
          'postgres is made anew, and not of a point in time',
          'postgres is restored from where nothing was backed up',
        ]),
      )
      type Cluster = { spec: { backup: { barmanObjectStore: { serverName?: string } } } }
      const into = planted(restore(), 'Cluster', 'postgres', ({ spec }: Cluster) => delete spec.backup.barmanObjectStore.serverName)
      expect(restoresInPeace(into)).toEqual(['postgres is archived into what it is restored from'])
    })
  })

  describe('the log pipeline', () => {
    it('is valid, reads what the apps write and no more of the node, and is restricted but for the user that may read it and for its files', () => {
      expect(judged(rendered['logs']!.yaml)).toEqual(isValid)
      const logs = objectsOf('logs')
      const apps = objectsOf('production').find(({ kind }) => kind === 'Namespace')?.metadata.name ?? ''
      expect(collectorReadsTheApps(logs, apps)).toEqual([])
      expect(CHECKS['podsAreRestricted']?.(logs)).toEqual([
        'log-collector may run as root',
        'log-collector sees /var/log/pods of its node',
        'log-collector sees /var/lib/bahi-logs of its node',
      ])
      expect(CHECKS['selectorsMatchPods']?.(logs)).toEqual([])
      expect(openEdges(logs)).toEqual(EDGES.logs)
      // Of the release that `npm run test:e2e:k8s -- --only logs` proves.
      const { image } = workloadsOf(logs)[0]!.pod!.containers[0]!
      expect(image).toBe(`otel/opentelemetry-collector-contrib:${collectorVersion()}`)
    }, 130_000)

    it('would not pass with another namespace, more of the node, or parts that do not fit together', () => {
      const logs = objectsOf('logs')
      expect(collectorReadsTheApps(logs, 'elsewhere')).toEqual([
        'reads /var/log/pods/bahi_*/*/*.log',
        'reads /var/log/pods/bahi_*/*/*.log.*',
      ])
      type Volumes = { spec: { template: { spec: { volumes: { hostPath?: { path: string } }[]; containers: [{ env: object[] }] } } } }
      const more = planted(logs, 'DaemonSet', 'log-collector', ({ spec }: Volumes) => {
        spec.template.spec.volumes.push({ hostPath: { path: '/etc' } })
        spec.template.spec.containers[0].env.pop()
      })
      expect(collectorReadsTheApps(more, 'bahi')).toEqual(['SINK_AUTHORIZATION is not defined', 'has /etc of the node'])
      const withConfig = (is: string, instead: string) =>
        collectorReadsTheApps(
          planted(logs, 'ConfigMap', 'log-collector', ({ data }: { data: Record<string, string> }) => {
            data['config.yaml'] = String(data['config.yaml']).replace(is, instead)
          }),
          'bahi',
        )
      expect(withConfig('exporters: [otlp_http]', 'exporters: [elsewhere]')).toEqual(['elsewhere is not defined', 'otlp_http is not used'])
      expect(withConfig('processors: [memory_limiter]', 'processors: []')).toEqual(['memory_limiter is not used'])
      expect(withConfig('storage: file_storage', 'storage: nobody')).toEqual(['nobody is not started'])
      expect(withConfig('directory: /var/lib/bahi-logs', 'directory: /tmp')).toEqual([
        'what is in /tmp does not outlive its pod',
        'has /var/lib/bahi-logs of the node',
      ])
    })
  })

  describe('the Ingress, where a cluster has no Gateway API', () => {
    // What stands beside it is judged in the overlays.
    const own = () => objectsOf('ingress').filter(({ kind }) => kind === 'Ingress')

    it('is valid, opens what the route of the Gateway API opens, and leads to a port that a Service has', () => {
      expect(judged(stringify(own()[0]))).toEqual(isValid)
      const paths = (objects: readonly KubeObject[]) => waysIn(objects).map(({ path }) => path)
      expect(paths(own())).toEqual(['Prefix /v1', 'Prefix /docs', 'Exact /openapi.json'])
      expect(paths(objectsOf('production'))).toEqual(paths(own()))
      expect(routesLeadToServices(objectsOf('ingress'))).toEqual([])
    }, 130_000)

    it.each<[string, { name: string; port: object }]>([
      ['gatway:http', { name: 'gatway', port: { name: 'http' } }],
      ['gateway:https', { name: 'gateway', port: { name: 'https' } }],
      ['gateway:80', { name: 'gateway', port: { number: 80 } }],
    ])('would not pass with %s', (to, service) => {
      type Ingress = { spec: { rules: [{ http: { paths: { backend: object }[] } }] } }
      const astray = planted(objectsOf('ingress'), 'Ingress', 'bahi', ({ spec }: Ingress) => {
        spec.rules[0].http.paths[1]!.backend = { service }
      })
      expect(routesLeadToServices(astray)).toEqual([`Ingress bahi sends Prefix /docs to ${to}, which is no Service's`])
    })
  })

  it('production has no development issuer, no sandbox and no secret', () => {
    expect(productionIsProduction(objectsOf('production'))).toEqual([])
    expect(productionIsProduction(objectsOf('local'))).toEqual(expect.arrayContaining([expect.stringContaining('development issuer')]))
  })

  describeProduction(() => objectsOf('production'))

  describe('each check finds what is planted', () => {
    const finds = (check: keyof typeof CHECKS, plant: readonly KubeObject[], what: RegExp) =>
      expect(CHECKS[check]?.(plant)).toEqual(expect.arrayContaining([expect.stringMatching(what)]))
    const local = () => objectsOf('local')

    it.each([
      ['local', 'Deployment', 'minReadySeconds:', 'minReadySecond:'],
      ['production', 'Kafka', ' rack:', ' racks:'],
      ['production', 'KafkaNodePool', 'deleteClaim:', 'deleteClaims:'],
      ['production', 'ExternalSecret', 'refreshInterval:', 'refreshIntervals:'],
    ])(
      'a field in %s of a %s that no schema has: %s',
      (overlay, kind, is, instead) => {
        const yaml = stringify(objectsOf(overlay).find((each) => each.kind === kind))
        expect(judged(yaml)).toEqual(isValid)
        expect(yaml).toContain(is)
        expect(judged(yaml.replace(is, instead))[0]).toBe(1)
      },
      130_000,
    )

    it('a selector of nobody, a budget of nobody, a deployment that is not its own', () => {
      const elsewhere = { 'app.kubernetes.io/name': 'elsewhere' }
      const service = planted(local(), 'Service', 'wallet', ({ spec }: { spec: { selector: object } }) => (spec.selector = elsewhere))
      finds('selectorsMatchPods', service, /^Service wallet selects no pod/)
      const budget = planted(local(), 'PodDisruptionBudget', 'wallet', ({ spec }: { spec: object }) =>
        Object.assign(spec, { selector: { matchLabels: elsewhere } }),
      )
      finds('selectorsMatchPods', budget, /^PodDisruptionBudget wallet/)
      const policy = planted(local(), 'NetworkPolicy', 'wallet', ({ spec }: { spec: object }) =>
        Object.assign(spec, { podSelector: { matchLabels: elsewhere } }),
      )
      finds('selectorsMatchPods', policy, /^NetworkPolicy wallet/)
      const deployment = planted(local(), 'Deployment', 'wallet', (each: Pod) => (each.spec.template.metadata.labels = elsewhere))
      finds('selectorsMatchPods', deployment, /^Deployment wallet does not select/)
    })

    it('a port that is not listened on, a probe of a port that is not there', () => {
      const ports = planted(local(), 'Deployment', 'wallet', (each: Pod) =>
        Object.assign(container(each), { ports: [{ name: 'web', containerPort: 3003 }] }),
      )
      finds('portsMatchListeners', ports, /^Service wallet sends to http/)
      finds('portsMatchListeners', ports, /^wallet listens on 3000, not on 3003/)
      finds('portsMatchListeners', ports, /^wallet is probed at http/)
    })

    it('a route to a port that its service has not', () => {
      const astray = planted(
        objectsOf('production'),
        'HTTPRoute',
        'bahi',
        ({ spec }: { spec: { rules: [{ backendRefs: [{ port: number }] }] } }) => (spec.rules[0].backendRefs[0].port = 80),
      )
      finds('routesLeadToServices', astray, /^HTTPRoute bahi sends Prefix \/v1 to gateway:80/)
    })

    it('a setting that the app does not know, one that it lacks, one that it refuses, a secret that nobody makes', () => {
      const env = (change: (env: { name: string; value?: string }[]) => unknown) =>
        planted(local(), 'Deployment', 'payment-saga', (each: Pod) => void change(container(each)['env'] as { name: string }[]))
      finds(
        'environmentIsTheAppsOwn',
        env((list) => list.push({ name: 'DATABASE_ULR', value: 'x' })),
        /DATABASE_ULR is no setting/,
      )
      finds(
        'environmentIsTheAppsOwn',
        env((list) =>
          list.splice(
            list.findIndex(({ name }) => name === 'PROVIDER_API_KEY'),
            1,
          ),
        ),
        /PROVIDER_API_KEY: must be set/,
      )
      finds(
        'environmentIsTheAppsOwn',
        env((list) => list.push({ name: 'UPI_WINDOW_SECONDS', value: 'soon' })),
        /UPI_WINDOW_SECONDS: must be/,
      )
      const secretless = local().filter(({ kind, metadata }) => kind !== 'Secret' || metadata.name !== 'bahi-keys')
      finds('environmentIsTheAppsOwn', secretless, /MASTER_KEY refers to what is not there/)
      const settings = planted(
        local(),
        'ConfigMap',
        'settings',
        ({ data }: { data: Record<string, string> }) => (data['LOGLEVEL'] = 'info'),
      )
      finds('environmentIsTheAppsOwn', settings, /wallet: LOGLEVEL is no setting/)
    })

    it('apps to which every caller is the gateway', () => {
      const blind = planted(
        objectsOf('production'),
        'ConfigMap',
        'settings',
        ({ data }: { data: Record<string, string> }) => delete data['TRUST_PROXY'],
      )
      expect(CHECKS['appsBelieveTheGateway']?.(blind)).toEqual(
        [...STORES].sort().map((app) => `${app} takes the gateway for whoever calls`),
      )
    })

    it('apps and backups that are not in India, or not in one region, and a cluster that nobody backs up', () => {
      const abroad = planted(
        objectsOf('production'),
        'ConfigMap',
        'settings',
        ({ data }: { data: Record<string, string> }) => (data['REGION'] = 'us-east-1'),
      )
      finds('environmentIsTheAppsOwn', abroad, /wallet: REGION: must be in India/)
      finds('backupsAreInTheRegion', abroad, /postgres is backed up to .*ap-south-1.*, and the apps are in us-east-1/)
      const unsaid = planted(
        objectsOf('production'),
        'Cluster',
        'postgres',
        ({ spec }: { spec: { backup: { barmanObjectStore: { endpointURL?: string } } } }) =>
          delete spec.backup.barmanObjectStore.endpointURL,
      )
      finds('backupsAreInTheRegion', unsaid, /a region that is not said/)
      const never = objectsOf('production').filter(({ kind }) => kind !== 'ScheduledBackup')
      expect(CHECKS['backupsAreInTheRegion']?.(never)).toEqual(['postgres is never backed up'])
    })

    it('a budget that never lets a pod go, pods without a budget', () => {
      const strict = planted(
        objectsOf('production'),
        'PodDisruptionBudget',
        'wallet',
        ({ spec }: { spec: { maxUnavailable: number } }) => (spec.maxUnavailable = 0),
      )
      finds('budgetsLetNodesDrain', strict, /budget of wallet never/)
      const none = objectsOf('production').filter(({ kind, metadata }) => kind !== 'PodDisruptionBudget' || metadata.name !== 'wallet')
      finds('budgetsLetNodesDrain', none, /wallet has 2 pods and no budget/)
    })

    it('more replicas than partitions, two scalers, a fixed number beside a scaler, a topic that is none', () => {
      const production = objectsOf('production')
      const many = planted(
        production,
        'ScaledObject',
        'wallet',
        ({ spec }: { spec: { maxReplicaCount: number } }) => (spec.maxReplicaCount = 7),
      )
      finds('scalersFitThePartitions', many, /wallet goes to 7, and a topic has 6/)
      const two = planted(
        production,
        'HorizontalPodAutoscaler',
        'order-query',
        ({ spec }: { spec: { scaleTargetRef: { name: string } } }) => (spec.scaleTargetRef.name = 'wallet'),
      )
      finds('scalersFitThePartitions', two, /wallet has two scalers/)
      const fixed = planted(production, 'Deployment', 'wallet', ({ spec }: { spec: { replicas: number } }) => (spec.replicas = 2))
      finds('scalersFitThePartitions', fixed, /wallet is scaled, and says/)
      const topic = planted(
        production,
        'ScaledObject',
        'wallet',
        ({ spec }: { spec: { triggers: [{ metadata: { topic: string } }] } }) => (spec.triggers[0].metadata.topic = 'wallets'),
      )
      finds('scalersFitThePartitions', topic, /wallets, which is no topic/)
      const nearby = planted(
        production,
        'ScaledObject',
        'wallet',
        ({ spec }: { spec: { triggers: [{ metadata: { bootstrapServers: string } }] } }) =>
          (spec.triggers[0].metadata.bootstrapServers = 'kafka-kafka-bootstrap:9092'),
      )
      finds('scalersFitThePartitions', nearby, /wallet looks for kafka-kafka-bootstrap:9092 in KEDA's namespace/)
      type Triggers = { spec: { triggers: [{ metadata: { version?: string } }] } }
      const old = planted(production, 'ScaledObject', 'wallet', ({ spec }: Triggers) => delete spec.triggers[0].metadata.version)
      finds('scalersFitThePartitions', old, /wallet speaks as Kafka 1.0.0 did/)
    })

    it('a pod that may do too much, and one that leaves too early', () => {
      const loose = planted(local(), 'Deployment', 'fraud', (each: Pod) =>
        Object.assign(container(each), { securityContext: {}, image: 'bahi/fraud' }),
      )
      for (const what of [/fraud may gain/, /fraud keeps cap/, /fraud can write/, /fraud has an image of no version/])
        finds('podsAreRestricted', loose, what)
      const curious = planted(local(), 'Deployment', 'fraud', (each: Pod) =>
        Object.assign(each.spec.template.spec, { volumes: [{ name: 'node', hostPath: { path: '/' } }] }),
      )
      finds('podsAreRestricted', curious, /fraud sees \/ of its node/)
      const hasty = planted(local(), 'Deployment', 'fraud', (each: Pod) => {
        Object.assign(each.spec.template.spec, { terminationGracePeriodSeconds: 30 })
        Object.assign(container(each), { livenessProbe: { httpGet: { path: '/health/ready', port: 'http' } } })
      })
      for (const what of [/fraud is killed before/, /fraud is restarted for what/]) finds('appsLeaveQuietly', hasty, what)
    })

    it('apps that are taken away with what requests do not need, and a front that is with any app', () => {
      const probed = (app: string, path: string) =>
        planted(local(), 'Deployment', app, (each: Pod) =>
          Object.assign(container(each), { readinessProbe: { httpGet: { path, port: 'http' } } }),
        )
      finds('readyIsForRequests', probed('wallet', '/health/ready'), /^wallet takes requests by \/health\/ready, not by/)
      finds('readyIsForRequests', probed('wallet', '/health/live'), /^wallet takes requests by \/health\/live, not by/)
      finds('readyIsForRequests', probed('front', '/health/ready?of=requests'), /^front takes requests by/)
    })

    it('a spread without a selector, which the API server refuses', () => {
      const unselected = planted(local(), 'Deployment', 'fraud', (each: Pod) =>
        Object.assign(each.spec.template.spec, { topologySpreadConstraints: [{ maxSkew: 1, matchLabelKeys: ['pod-template-hash'] }] }),
      )
      finds('podsAreSpread', unselected, /^fraud is spread among pods that are not its own/)
    })

    it('pods that are not spread at all, or over zones and not over nodes', () => {
      type Spread = { spec: { template: { spec: { topologySpreadConstraints?: { topologyKey: string }[] } } } }
      const together = planted(local(), 'Deployment', 'fraud', ({ spec }: Spread) => delete spec.template.spec.topologySpreadConstraints)
      expect(CHECKS['podsAreSpread']?.(together)).toEqual([
        'fraud is not spread over topology.kubernetes.io/zone',
        'fraud is not spread over kubernetes.io/hostname',
      ])
      const onOneNode = planted(local(), 'Deployment', 'gateway', ({ spec }: Spread) => {
        const { topologySpreadConstraints = [] } = spec.template.spec
        spec.template.spec.topologySpreadConstraints = topologySpreadConstraints.filter(({ topologyKey }) => topologyKey.endsWith('/zone'))
      })
      expect(CHECKS['podsAreSpread']?.(onOneNode)).toEqual(['gateway is not spread over kubernetes.io/hostname'])
    })

    it('a store that nobody signs, one signed too seldom or where it does not last, a checkpoint without its key', () => {
      const gone = local().filter(({ metadata }) => metadata.name !== 'archive-fraud')
      finds('storesAreSignedDaily', gone, /^nothing runs archive of fraud/)
      const weekly = planted(local(), 'CronJob', 'checkpoint-wallet', ({ spec }: { spec: object }) =>
        Object.assign(spec, { schedule: '0 3 * * 0' }),
      )
      finds('storesAreSignedDaily', weekly, /^checkpoint of wallet does not run once a day/)
      type Cron = {
        spec: { jobTemplate: { spec: { template: { spec: { volumes: object[]; containers: [{ env: { name: string }[] }] } } } } }
      }
      const lost = planted(local(), 'CronJob', 'checkpoint-wallet', ({ spec }: Cron) => {
        spec.jobTemplate.spec.template.spec.volumes = [{ name: 'checkpoints', emptyDir: {} }]
        spec.jobTemplate.spec.template.spec.containers[0].env.pop()
      })
      finds('storesAreSignedDaily', lost, /^the checkpoints of wallet do not outlive/)
      finds('environmentIsTheAppsOwn', lost, /checkpoint-wallet: CHECKPOINT_KEY: must be set/)
    })

    it('apps that are scraped under a name that no rule reads, from no port, not at all, or twice', () => {
      type Monitor = { spec: { selector: object; podMetricsEndpoints: [{ port: string; relabelings?: object[] }] } }
      const scraped = (change: (spec: Monitor['spec']) => unknown) =>
        planted(objectsOf('production'), 'PodMonitor', 'apps', ({ spec }: Monitor) => void change(spec))
      const unnamed = scraped(({ podMetricsEndpoints: [endpoint] }) => delete endpoint.relabelings)
      finds('scrapesAreNamedAsRulesRead', unnamed, /^apps scrapes as the job undefined, and rules read apps/)
      finds('scrapesAreNamedAsRulesRead', unnamed, /^apps does not say that wallet is up/)
      const elsewhere = scraped(({ podMetricsEndpoints: [endpoint] }) => (endpoint.port = 'metrics'))
      finds('scrapesAreNamedAsRulesRead', elsewhere, /^wallet has no port metrics/)
      const nobody = scraped((spec) => (spec.selector = { matchLabels: { app: 'bahi' } }))
      finds('scrapesAreNamedAsRulesRead', nobody, /^apps scrapes nobody, and not/)
      const twice = scraped((spec) => (spec.selector = { matchLabels: { 'app.kubernetes.io/component': 'app' } }))
      finds('scrapesAreNamedAsRulesRead', twice, /^apps scrapes fraud, front, /)
      type Kept = { spec: { podMetricsEndpoints: [{ metricRelabelings?: object[] }] } }
      const repeated = planted(objectsOf('production'), 'PodMonitor', 'gateway', ({ spec }: Kept) => {
        delete spec.podMetricsEndpoints[0].metricRelabelings
      })
      finds('scrapesAreNamedAsRulesRead', repeated, /^gateway keeps series that repeat those of the apps/)
    })

    it('a way that is open and not in the table, and one that is in the table and closed', () => {
      const edges = (plant: readonly KubeObject[]) => openEdges(plant)
      const open = planted(local(), 'NetworkPolicy', 'redis', ({ spec }: { spec: object }) => Object.assign(spec, { ingress: [{}] }))
      const out = planted(open, 'NetworkPolicy', 'front', ({ spec }: { spec: { egress: object[] } }) => spec.egress.push({}))
      expect(edges(out)).toContain('front -> redis:6379')
      type Blocks = { spec: { egress: [{ to: [{ ipBlock: { except: string[] } }] }]; ingress: { from: object[] }[] } }
      const wide = planted(objectsOf('production'), 'NetworkPolicy', 'issuer-and-provider', ({ spec }: Blocks) =>
        spec.egress[0].to[0].ipBlock.except.shift(),
      )
      const wider = planted(wide, 'NetworkPolicy', 'redis', ({ spec }: Blocks) => spec.ingress[0]?.from.push({ namespaceSelector: {} }))
      expect(edgesElsewhere(wider).filter((edge) => !ELSEWHERE.production.includes(edge))).toEqual([
        'issuer-and-provider: order-command,order-query,wallet,payment-saga,fraud -> 0.0.0.0/0 except 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16:443',
        'redis: every namespace/ -> redis:6379',
      ])
      const shut = planted(local(), 'NetworkPolicy', 'wallet', ({ spec }: { spec: object }) => Object.assign(spec, { egress: [] }))
      expect(edges(shut)).not.toContain('wallet -> kafka:9092')
      const gone = local().filter(({ kind }) => kind !== 'NetworkPolicy')
      expect(edges(gone)).toContain('provider-sandbox -> redis:6379')
    })
  })

  describe('the alerts', () => {
    it('fire when they should and are silent on what is near', () => {
      const run = (file: string) =>
        spawnSync(promtool()!, ['test', 'rules', file], { cwd: join(root, 'deploy/prometheus'), encoding: 'utf8', timeout: 60_000 })
      for (const { status, stdout, stderr } of ['rules', 'rules.week', 'cluster-rules'].map((name) => run(`${name}.test.yml`)))
        expect([status, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining('SUCCESS')])
    }, 150_000)
  })

  it('the databases of Compose and of the overlay are made by the same script', () => {
    const read = (path: string): string => readFileSync(join(root, path), 'utf8')
    expect(read('k8s/overlays/local/create-databases.sh')).toBe(read('deploy/postgres/create-databases.sh'))
    expect(execFileSync('sh', ['-n', join(root, 'deploy/make-env.sh')], { encoding: 'utf8' })).toBe('')
  })
}
