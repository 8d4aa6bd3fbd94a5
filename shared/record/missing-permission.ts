import type { ExportRecord } from '../model/record.ts';

/** What an operator must grant, read from Earth Engine's message: it reports a missing permission in no other way. */
export interface MissingPermission {
  readonly why: string;
  /** The command that grants it, or the address where it is done. */
  readonly fix: string;
}

/** The role to grant for a permission, by the start of its name. The roles are those of infra/modules. */
const roles: readonly (readonly [permission: string, role: string])[] = [
  ['earthengine.', 'roles/earthengine.writer'],
  ['serviceusage.', 'roles/serviceusage.serviceUsageConsumer'],
  ['storage.', 'roles/storage.objectUser'],
];

export function missingPermission(
  {
    project,
    serviceAccount,
    destination = '',
  }: Pick<ExportRecord, 'project' | 'serviceAccount'> & {
    readonly destination?: string | undefined;
  },
  message: string,
): MissingPermission | undefined {
  if (/not registered/i.test(message)) {
    return {
      why: `The project ${project} is not registered for Earth Engine`,
      fix: `https://console.cloud.google.com/earth-engine/configuration?project=${project}`,
    };
  }
  const [permission = ''] = /\b(?:earthengine|serviceusage|storage)\.\w+\.\w+/.exec(message) ?? [];
  const [, role] = roles.find(([prefix]) => permission.startsWith(prefix)) ?? [];
  if (role === undefined) {
    return undefined;
  }
  const account = serviceAccount ?? "the service's account";
  // The shell finds out the account, in the clone from which the service was deployed.
  const principal =
    serviceAccount === undefined
      ? '"serviceAccount:$(terraform -chdir=infra output -raw sender)"'
      : `serviceAccount:${serviceAccount}`;
  const member = `--member=${principal} --role=${role}`;
  const [bucket] = /^gs:\/\/[^/]+/.exec(destination) ?? [];
  return role.startsWith('roles/storage') && bucket !== undefined
    ? {
        why: `${account} needs ${role} on ${bucket} (${permission})`,
        fix: `gcloud storage buckets add-iam-policy-binding ${bucket} ${member}`,
      }
    : {
        why: `${account} needs ${role} on the project ${project} (${permission})`,
        fix: `gcloud projects add-iam-policy-binding ${project} ${member}`,
      };
}
