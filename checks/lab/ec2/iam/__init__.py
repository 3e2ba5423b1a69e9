"""IAM: who may make which call, as AWS decides it.

From the bottom up:

conditions  the operators of a policy's conditions
policy      policies, and what they say to a request
asked       one request: an action on one resource, with all that AWS tells about it
reference   which resources and condition keys AWS documents for each action
resources   what is told about each kind of resource
calls       the requests that each call makes; launches: those of RunInstances
authority   the policies of each access key, and a record of the requests
replay      recorded requests against other policies, without any EC2
"""
