"""The client: it alone knows the order of the stages."""

from .call import Call as Call
from .client import AsyncIndivd as AsyncIndivd
from .endpoints import Endpoints as Endpoints
