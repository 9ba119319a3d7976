import { createHash } from 'node:crypto';

/**
 * The Job that produces a run in a cluster where infra/kubernetes is. What it shares with the other
 * pods there (how it is confined, where settings and secrets are) is held to them by a test.
 */
export interface ProducerJob {
  run: string;
  /** Of the producer, as on its command line. */
  args: readonly string[];
  image: string;
  namespace: string;
}

/** Nothing of it is secret: REDIS_URL, and keys of the store where there are any, are Secrets. */
export function producerJob({ run, args, image, namespace }: ProducerJob) {
  const labels = {
    'app.kubernetes.io/component': 'producer',
    'app.kubernetes.io/part-of': 'cutline',
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: jobName(run), namespace, labels },
    spec: {
      // Another pod goes on where one was lost. Status 2 is for a person to put right; machines that
      // are drained are nobody's mistake, however many.
      backoffLimit: 20,
      podFailurePolicy: {
        rules: [
          {
            action: 'FailJob',
            onExitCodes: { containerName: 'program', operator: 'In', values: [2] },
          },
          {
            action: 'Ignore',
            onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }],
          },
        ],
      },
      ttlSecondsAfterFinished: 7 * 24 * 3600,
      template: {
        metadata: { labels },
        spec: { ...podSpec(), containers: [program(image, args)] },
      },
    },
  };
}

function podSpec() {
  return {
    restartPolicy: 'Never',
    serviceAccountName: 'cutline',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 40,
    shareProcessNamespace: true,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumes: [{ name: 'tmp', emptyDir: { sizeLimit: '1Gi' } }],
  };
}

function program(image: string, args: readonly string[]) {
  return {
    name: 'program',
    image,
    imagePullPolicy: 'IfNotPresent',
    args: ['producer', ...args.map(verbatim)],
    envFrom: [
      { configMapRef: { name: 'cutline-producer-settings' } },
      { secretRef: { name: 'cutline-s3', optional: true } },
    ],
    env: [
      {
        name: 'REDIS_URL',
        valueFrom: { secretKeyRef: { name: 'cutline-redis', key: 'url' } },
      },
    ],
    ports: [{ name: 'metrics', containerPort: 9464 }],
    // Measured: 139 MB while it lists 20,000 images. A list of keys (--keys-from) comes on top.
    resources: {
      requests: { cpu: '250m', memory: '256Mi' },
      limits: { cpu: '1', memory: '512Mi' },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
  };
}

/** Kubernetes takes `$(NAME)` in arguments for a variable, and `$$(NAME)` for that text. */
function verbatim(arg: string): string {
  return arg.replaceAll('$(', () => '$$(');
}

/** As long as names of pods, which are labels, may be. */
const nameLengthMax = 63;

/** Names in a cluster have no capitals and no `_`; two runs never share one. */
function jobName(run: string): string {
  const plain = `producer-${run.toLowerCase().replaceAll('_', '-')}`;
  if (plain === `producer-${run}` && plain.length <= nameLengthMax && !plain.endsWith('-')) {
    return plain;
  }
  const mark = `-${createHash('sha256').update(run).digest('hex').slice(0, 8)}`;
  return plain.slice(0, nameLengthMax - mark.length).replace(/-+$/, '') + mark;
}
