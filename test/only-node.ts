import { access, constants, mkdtemp, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/**
 * A machine that has only Node, npm, git, and coreutils: what a contributor needs to run the demo and the unit tests. They run
 * with this PATH everywhere, so that none of them starts to need another program unnoticed.
 */

const programs =
  'npm npx git sh basename cat chmod cp cut date dirname echo env false head ls mkdir mktemp mv printf pwd readlink realpath rm sleep sort tail tee test touch tr true uname uniq wc';

/**
 * Links these programs, and no other, in a new folder.
 *
 * @returns the folder, as the value of PATH
 */
export async function createOnlyNodePath(parent: string): Promise<string> {
  const folder = await mkdtemp(join(parent, 'only-node-'));
  await symlink(process.execPath, join(folder, 'node'));
  for (const program of programs.split(' ')) {
    const found = await find(program);
    if (found !== undefined) {
      await symlink(found, join(folder, program));
    }
  }
  return folder;
}

async function find(program: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(folder, program);
    if (
      await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      )
    ) {
      return candidate;
    }
  }
  return undefined;
}
