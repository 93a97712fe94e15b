// Package pipeline runs composite actions of GitHub and jobs of GitLab on this machine, as the
// runners of GitHub and GitLab do. Tests try the action and the template of this repository with
// it.
//
// It runs the shell code of a step or a job as it stands. It records other actions and does not run
// them. Services, images, caches and matrices have no effect.
package pipeline
