import { group } from './programs.ts';

group('versions');
